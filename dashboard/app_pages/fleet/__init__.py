"""The page Fleet, one module per part: ``page.py`` is the script that Streamlit runs."""
