// The words of the page's language, with its numbers and plural forms.
function geoliveWords(language) {
  "use strict";
  const numbers = new Intl.NumberFormat(language.tag + "-u-nu-latn");
  const plurals = new Intl.PluralRules(language.tag);
  const words = (key, values = {}) => {
    let text = language.words[key];
    if (typeof text === "object") text = text[plurals.select(values.count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? numbers.format(values[name]) : values[name]));
  };
  return words;
}
