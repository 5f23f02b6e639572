// One body on its way, with progress. Resolves to {status, code, detail}, of a bundle with its results; status 0 is no answer.

const STALLED_MS = 60_000;
const LOOK_MS = 5_000;
const OURS_TO_SET = new Set(["content-length", "host"]); // the browser sets these itself and refuses them from a page

export function put({ url, headers }, blob, options) {
  return transmit("PUT", url, headers, blob, options);
}

export function post(url, blob, options) {
  return transmit("POST", url, { "content-type": "application/octet-stream" }, blob, options);
}

function transmit(method, url, headers, blob, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let heard = Date.now();
    // After a laptop's sleep the first look finds that nothing was heard for long: the connection is dead, the next is not.
    const watch = setInterval(() => { if (Date.now() - heard > STALLED_MS) request.abort(); }, LOOK_MS);
    const stop = () => request.abort();
    const settle = (done, value) => { clearInterval(watch); signal.removeEventListener("abort", stop); done(value); };
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (!OURS_TO_SET.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => { heard = Date.now(); onProgress(event.loaded); });
    request.addEventListener("load", () => settle(resolve, { status: request.status, ...said(request.responseText) }));
    request.addEventListener("error", () => settle(resolve, { status: 0 }));
    request.addEventListener("abort", () => {
      if (signal.aborted) settle(reject, new DOMException("No longer wanted.", "AbortError"));
      else settle(resolve, { status: 0 });
    });
    if (signal.aborted) { settle(reject, new DOMException("No longer wanted.", "AbortError")); return; }
    signal.addEventListener("abort", stop);
    request.send(blob);
  });
}

// Ours is problem+json, object storage answers in XML.
function said(text) {
  try {
    const { code, detail, results } = JSON.parse(text);
    return { code, detail, results };
  } catch {
    const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1] ?? "";
    const detail = /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? "";
    return { code: code === "AccessDenied" && /expired/i.test(detail) ? "signature_expired" : code, detail };
  }
}
