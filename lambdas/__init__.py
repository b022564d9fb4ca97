"""AWS Lambda functions of the stream path, and the bundler that packages them (bundle.py)."""
