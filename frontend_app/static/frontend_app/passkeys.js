// A form with data-passkey talks to the browser's keys before it is sent.
"use strict";

(() => {
  const able = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;

  async function asked(form) {
    if (!form.dataset.from) return JSON.parse(form.dataset.options);
    const answer = await fetch(form.dataset.from, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(worded("The server said %(status)s. Try again in a minute.", { status: answer.status }));
    return (await answer.json()).request_options;
  }

  function made(form, options) {
    const alone = form.querySelector("[name=passwordless]");
    const wanted = options.publicKey.authenticatorSelection || {};
    if (alone) {
      wanted.residentKey = alone.checked ? "required" : "discouraged";
      wanted.requireResidentKey = alone.checked;
      if (alone.checked) wanted.userVerification = "required";
    }
    const publicKey = { ...options.publicKey, authenticatorSelection: wanted };
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) });
  }

  function shown(options) {
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey) });
  }

  function say(form, text) {
    const place = form.querySelector("[data-trouble]");
    place.textContent = text;
    place.hidden = !text;
  }

  const why = {
    NotAllowedError: gettext("Nothing was chosen, or it took too long. Try again."),
    InvalidStateError: gettext("This key is on your account already."),
    NotSupportedError: gettext("This key cannot do what is asked of it. Try another one."),
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    if (!able) {
      say(form, gettext("This browser is too old for passkeys."));
      for (const button of form.querySelectorAll("button")) button.disabled = true;
      continue;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      say(form, "");
      try {
        const options = await asked(form);
        const credential = await (form.dataset.passkey === "make" ? made(form, options) : shown(options));
        form.querySelector("[name=credential]").value = JSON.stringify(credential.toJSON());
        form.submit();
      } catch (error) {
        say(form, why[error.name] || error.message);
      }
    });
  }
})();
