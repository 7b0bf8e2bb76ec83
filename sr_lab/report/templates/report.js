// Enlarges a picture in a dialog; arrow keys go to the same place in its neighbours. Without this file all pictures still show.
"use strict";
(() => {
  const dialog = document.getElementById("zoom");
  const large = dialog.querySelector("img"), caption = dialog.querySelector("p");
  const [back, forth] = dialog.querySelectorAll("button.step");
  let row = [], at = 0;
  document.documentElement.classList.add("js");
  const show = (place) => {
    at = (place + row.length) % row.length;
    const picture = row[at];
    large.src = picture.src;
    large.alt = picture.alt;
    large.className = picture.className;
    const side = Math.min((innerWidth - 32) / picture.naturalWidth, (innerHeight - 150) / picture.naturalHeight);
    large.style.width = Math.floor(picture.naturalWidth * Math.max(side, 1)) + "px";
    const lines = [...picture.closest("figure").querySelectorAll("figcaption > *")].map((line) => line.textContent);
    caption.textContent = `${at + 1} / ${row.length}: ${lines.join(", ")}`;
  };
  for (const tiles of document.querySelectorAll(".tiles")) {
    const pictures = [...tiles.querySelectorAll("img")];
    pictures.forEach((picture, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "enlarge";
      button.setAttribute("aria-label", "Enlarge: " + picture.alt);
      picture.replaceWith(button);
      button.append(picture);
      button.addEventListener("click", () => { row = pictures; show(place); dialog.showModal(); });
    });
  }
  back.addEventListener("click", () => show(at - 1));
  forth.addEventListener("click", () => show(at + 1));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => row[at].parentElement.focus());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); show(at + step); }
  });
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
