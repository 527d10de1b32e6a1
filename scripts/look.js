// Opens every page in a frame, at every width, light and dark, and lists what is wrong with it.
const frame = document.getElementById("frame");
const found = [];

const scrolls = new Set(["auto", "scroll", "hidden", "clip"]);
const widthOf = (element) => element.getBoundingClientRect().width;
const name = (element) => `${element.tagName.toLowerCase()} "${element.textContent.trim().replace(/\s+/g, " ").slice(0, 40)}"`;

function channels(color) {
  const [r, g, b, alpha = 1] = color.match(/[\d.]+/g).map(Number);
  return { rgb: [r, g, b], alpha };
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04 ? v / 3294 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Contrast of the text of an element with the first opaque background behind it, from 1 to 21.
function contrast(element, view) {
  let behind = element;
  let color = { alpha: 0 };
  while (behind && color.alpha < 0.5) {
    color = channels(view.getComputedStyle(behind).backgroundColor);
    behind = behind.parentElement;
  }
  const back = luminance(color.alpha < 0.5 ? [255, 255, 255] : color.rgb);
  const text = luminance(channels(view.getComputedStyle(element).color).rgb);
  return (Math.max(back, text) + 0.05) / (Math.min(back, text) + 0.05);
}

function* misplaced(article, width) {
  const view = frame.contentWindow;
  const root = frame.contentDocument.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) yield `is ${root.scrollWidth} pixels wide`;
  for (const image of article.querySelectorAll("img"))
    if (!image.naturalWidth) yield `lacks the picture ${image.getAttribute("src")}`;
  if (width >= WIDE)
    for (const box of article.querySelectorAll("div:not(.highlight, .math)"))
      if (box.scrollWidth > box.clientWidth + 1 && scrolls.has(view.getComputedStyle(box).overflowX))
        yield `scrolls sideways by ${box.scrollWidth - box.clientWidth} pixels: ${name(box)}`;
}

function* faint(article) {
  const view = frame.contentWindow;
  const kinds = new Set();
  for (const element of article.querySelectorAll("p, li, td, th, a, code, span, h1, h2, summary, label, div")) {
    if (element.matches(".headerlink")) continue; // shown where the pointer is
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !element.checkVisibility() || !widthOf(element)) continue;
    const ratio = contrast(element, view);
    const kind = `${element.tagName}.${element.className}`;
    if (ratio < LEGIBLE && !kinds.has(kind)) {
      kinds.add(kind);
      yield `is hard to read, contrast ${ratio.toFixed(1)}: ${name(element)}`;
    }
  }
}

async function look(page, width) {
  console.info(`LOOK ${page} at ${width}`);
  frame.width = width;
  await new Promise((done) => {
    frame.onload = done;
    frame.src = page;
  });
  const root = frame.contentDocument.documentElement;
  const article = root.querySelector("article") ?? root;
  for (const problem of misplaced(article, width)) found.push(`${page} at ${width}: ${problem}`);
  for (const theme of ["light", "dark"]) {
    root.dataset.theme = theme;
    await new Promise((done) => setTimeout(done, 50));
    for (const problem of faint(article)) found.push(`${page} at ${width}, ${theme}: ${problem}`);
  }
}

(async () => {
  for (const width of WIDTHS) for (const page of PAGES) await look(page, width);
  const list = document.createElement("pre");
  list.id = "found";
  list.textContent = found.join("\n");
  document.body.replaceChildren(list);
})();
