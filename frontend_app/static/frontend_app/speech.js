// Sent after the catalogue of the page's language, whose gettext and ngettext these use: what has values in it.
"use strict";

(() => {
  const lang = document.documentElement.lang || "en";
  // Of the reader's own kinds of that language, as en-GB is one of en.
  const tongue = navigator.languages.find((one) => one.slice(0, 2).toLowerCase() === lang.slice(0, 2).toLowerCase()) ?? lang;
  // The first of Intl reads the browser's tables, which takes long on a slow phone: not before somebody needs it.
  const once = (make) => {
    let made;
    return () => (made ??= make());
  };
  const whole = once(() => new Intl.NumberFormat(tongue));
  const tenths = once(() => new Intl.NumberFormat(tongue, { minimumFractionDigits: 1, maximumFractionDigits: 1 }));
  const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
  Object.assign(window, {
    tongue,
    once,
    // The time zone that the reader chose, else the browser's.
    readerZone: document.documentElement.dataset.timeZone || undefined,
    numbered: (n) => whole().format(n),
    tenths: (n) => tenths().format(n),
    worded: (text, values) => fill(gettext(text), values),
    counted: (one, many, n, values = {}) => fill(ngettext(one, many, n), { number: whole().format(n), ...values }),
  });
})();
