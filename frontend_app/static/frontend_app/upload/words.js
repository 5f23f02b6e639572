// Every sentence that the upload says.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const whole = new Intl.NumberFormat("en");

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes}\u00a0${UNITS[unit]}`; // on one line
}

// The unit of both is said once.
function part(some, all) {
  const before = size(some), after = size(all);
  return `${before.slice(-4) === after.slice(-4) ? before.slice(0, -4) : before} of ${after}`;
}

export function time(seconds) {
  if (seconds < 5) return "a few seconds";
  if (seconds < 90) return `${Math.ceil(seconds / 5) * 5} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = Math.round(seconds / 3600);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

export const count = (n, one = "file") => `${whole.format(n)} ${one}${n === 1 ? "" : "s"}`;
const speed = (rate) => (rate > 0 ? ` · ${size(Math.round(rate))}/s` : "");
const left = (seconds) => (Number.isFinite(seconds) ? ` · ${time(seconds)} left` : "");

// What one file's row says.
export function row({ state, sent, size: all, rate, note }) {
  const some = part(sent, all);
  switch (state) {
    case "waiting": return sent ? `waits · ${some}` : `waits · ${size(all)}`;
    case "sending": return `${some}${speed(rate)}${rate > 0 ? left((all - sent) / rate) : ""}`;
    case "checking": return `is compared with what arrived · ${size(all)}`;
    case "paused": return `paused · ${some}`;
    case "storing": return `is being stored · ${size(all)}`;
    case "done": return note || `sent · ${size(all)}`;
    default: return size(all);
  }
}

// What stands above all of them.
export function total({ files, done, failed, sent, bytes, rate, isPaused }) {
  const failures = failed ? ` · ${whole.format(failed)} not sent` : "";
  const some = done === files ? size(bytes) : part(sent, bytes);
  const now = isPaused ? " · paused, parts on their way are sent again" : speed(rate) + (rate > 0 ? left((bytes - sent) / rate) : "");
  const going = done + failed < files ? now : "";
  return `${whole.format(done)} of ${count(files)} sent · ${some}${failures}${going}`;
}

export const added = (n, doubled) =>
  [n && `${count(n)} added.`, doubled && `${count(doubled)} ${doubled === 1 ? "was" : "were"} in the list already.`].filter(Boolean).join(" ");
export const reached = (percent) => `${percent} percent sent.`;
export const ALL_SENT = "All files are sent.";
export const PAUSED = "Paused. What has arrived is kept. Parts that were on their way are sent again.";
export const GOES_ON = "The upload goes on.";

// What is wrong just now and mends itself.
export const OFFLINE = "There is no network. The upload goes on by itself when it is back.";
const AWAY = "The server does not answer. The upload goes on by itself when it does.";
const ELSEWHERE = "Another window or program is sending the same file. This one goes on by itself when that one stops.";
export const SIGNED_OUT = "You have been signed out. Sign in again in another tab; the upload then goes on by itself.";
export const otherUser = (now, then) => `You are signed in as ${now} now, and these files are ${then}’s. Sign in as ${then}; the upload then goes on by itself.`;

export function trouble(status, { code, detail } = {}) {
  if (!navigator.onLine) return OFFLINE;
  if (code === "too_many_open_uploads") return `${detail} Give up some of the unfinished ones below, and this goes on by itself.`;
  if (code === "storage_full") return "The server has no room for more just now. The upload goes on by itself when it has.";
  return code === "part_busy" ? ELSEWHERE : AWAY;
}

// What ends a file's upload until somebody does something.
export const answered = (status) => `The server answered ${status}.`;
export const MAY_NOT_SEND = "You may not send files to this workspace any more. Ask one of its managers.";
export const CHANGED = "It was changed, moved or deleted after you chose it.";
export const CHOOSE_AGAIN = "Choose it again to send it as it is now.";
export const SEND_AGAIN = "Send it again to send it as it is now.";
export const CHANGED_ON_THE_WAY = "Its content changed while it was sent.";
export const OTHER_CONTENT = "Its content is not what the part that had arrived was made of, so that part was thrown away. Send it again from the beginning.";
export const UNREADABLE = "The browser may not read it. Check its permissions, then choose it again.";
export const GIVEN_UP = "This upload was given up in another window.";
export const DELETED_SINCE = "It had arrived before, and its file was deleted since. Send it again to have it back.";
export const TOO_DEEP = "The names of its folders are longer than 1024 characters together. Move it to a shorter path.";
export const tooLarge = (most) => `It is larger than this server takes, which is ${size(most)}.`;

export function unreadable(name) {
  return name === "NotReadableError" || name === "NotFoundError" ? CHANGED : UNREADABLE;
}

// Of files that were begun before.
export function unfinished({ size: all, received_bytes: there }) {
  return there === null ? `begun · ${size(all)} in all` : `${part(there, all)} arrived`;
}
export const notTheOne = (name) => `${name} is another file: its name, size or date is not that of the one that was begun. Choose that one, or add this one above as a new file.`;
export const otherDate = (name) => `${name} has the same name and size but another date. If it is the same file, go on with it: its content is compared before it counts.`;
export const GIVE_UP = { title: "Give up this upload?", text: "What has arrived of it is deleted.", yes: "Give up" };
export const giveUpAll = (n) => ({ title: `Give up ${count(n, "unfinished upload")}?`, text: "What has arrived of them is deleted.", yes: "Give up all" });
export const removeSent = (name) => ({ title: `Remove ${name}?`, text: "What has arrived of it is deleted.", yes: "Remove" });
export const removeAll = (n) => ({ title: `Remove ${count(n)} from the list?`, text: "What has arrived of those that are not finished is deleted. Files that are sent stay among your files.", yes: "Remove all" });

// Of the job that starts when its files are there.
export const STARTS_WHEN_SENT = "The job starts by itself when all files are sent. Keep this page open until then.";
export const STARTS_NOW = "All files are sent. The job starts.";
export const waitsFor = (name, more) => `The job waits: ${name}${more ? ` and ${count(more, "other file")}` : ""} could not be sent. Send ${more ? "them" : "it"} again or remove ${more ? "them" : "it"} above, and it starts by itself.`;
export const WAITS_PAUSED = "The job waits because the upload is paused.";
export const notStarted = (why) => `The job was not started. ${why}`;
