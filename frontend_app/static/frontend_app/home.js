// What takes a moment to count comes after the page.

for (const place of document.querySelectorAll("[data-fetch]")) {
  try {
    const answer = await fetch(place.dataset.fetch, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
  } catch {
    place.textContent = gettext("It could not be counted just now.");
  }
}
