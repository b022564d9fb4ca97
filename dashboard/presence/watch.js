// Tells the server when the page is hidden and when it is seen again, by the messages of Streamlit's components.
"use strict";

const tell = (type, content) => window.parent.postMessage({ isStreamlitMessage: true, type, ...content }, "*");
const tellWhetherSeen = () =>
  tell("streamlit:setComponentValue", { value: !document.hidden, dataType: "json" });

document.addEventListener("visibilitychange", tellWhetherSeen);
tell("streamlit:componentReady", { apiVersion: 1 });
// Opened behind another tab.  A page that is seen says nothing: the server takes it for that.
if (document.hidden) tellWhetherSeen();
