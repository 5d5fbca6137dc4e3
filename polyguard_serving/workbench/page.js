// The page is drawn in its own light scheme, and speaks English.
document.documentElement.lang = "en";
new MutationObserver(() => document.body && document.body.classList.remove("dark"))
  .observe(document.documentElement, { attributes: true, childList: true, subtree: true, attributeFilter: ["class"] });
