// Starts the interface. The theme is set here, before the program has loaded, so that the page does
// not flash in the wrong colors.
import init from "{{js}}";

try {
  const theme = localStorage.getItem("bellwether.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's preference holds.
}

init({ module_or_path: "{{wasm}}" }).catch((error) => {
  const boot = document.querySelector(".boot");
  if (boot) boot.textContent = "The interface could not start: " + error + ". Reload the page; if that does not help, use a current browser.";
});
