// Opens the upload part of the page that loads this.

import { Panel } from "./panel.js";

const root = document.getElementById("upload");
export const panel = root ? new Panel(root) : null;
