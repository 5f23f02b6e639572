// Every sentence that the upload says.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit ? tenths(bytes) : bytes}\u00a0${UNITS[unit]}`; // on one line
}

// The unit of both is said once.
function part(some, all) {
  const before = size(some), after = size(all);
  const shared = before.slice(-4) === after.slice(-4) ? before.slice(0, -4) : before;
  return worded("%(some)s of %(all)s", { some: shared, all: after });
}

export function time(seconds) {
  if (seconds < 5) return gettext("a few seconds");
  if (seconds < 90) return `${Math.ceil(seconds / 5) * 5} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = Math.round(seconds / 3600);
  return hours < 48 ? `${hours} h` : counted("%(number)s day", "%(number)s days", Math.round(hours / 24));
}

export const count = (n) => counted("%(number)s file", "%(number)s files", n);
const speed = (rate) => (rate > 0 ? ` · ${size(Math.round(rate))}/s` : "");
const left = (seconds) => (Number.isFinite(seconds) ? ` · ${worded("%(time)s left", { time: time(seconds) })}` : "");

// What one file's row says.
export function row({ state, sent, size: all, rate, note }) {
  const some = part(sent, all);
  switch (state) {
    case "waiting": return `${gettext("waits")} · ${sent ? some : size(all)}`;
    case "sending": return `${some}${speed(rate)}${rate > 0 ? left((all - sent) / rate) : ""}`;
    case "checking": return `${gettext("is compared with what arrived")} · ${size(all)}`;
    case "paused": return `${gettext("paused")} · ${some}`;
    case "storing": return `${gettext("is being stored")} · ${size(all)}`;
    case "done": return note || `${gettext("sent")} · ${size(all)}`;
    default: return size(all);
  }
}

// What stands above all of them.
export function total({ files, done, failed, sent, bytes, rate, isPaused }) {
  const failures = failed ? ` · ${counted("%(number)s not sent", "%(number)s not sent", failed)}` : "";
  const some = done === files ? size(bytes) : part(sent, bytes);
  const now = isPaused ? ` · ${gettext("paused, parts on their way are sent again")}` : speed(rate) + (rate > 0 ? left((bytes - sent) / rate) : "");
  const going = done + failed < files ? now : "";
  return `${counted("%(done)s of %(number)s file sent", "%(done)s of %(number)s files sent", files, { done: numbered(done) })} · ${some}${failures}${going}`;
}

export const added = (n, doubled) =>
  [
    n && counted("%(number)s file added.", "%(number)s files added.", n),
    doubled && counted("%(number)s file was in the list already.", "%(number)s files were in the list already.", doubled),
  ].filter(Boolean).join(" ");
export const reached = (percent) => worded("%(number)s percent sent.", { number: percent });
export const ALL_SENT = gettext("All files are sent.");
export const PAUSED = gettext("Paused. What has arrived is kept. Parts that were on their way are sent again.");
export const GOES_ON = gettext("The upload goes on.");

// What is wrong just now and mends itself.
export const OFFLINE = gettext("There is no network. The upload goes on by itself when it is back.");
const AWAY = gettext("The server does not answer. The upload goes on by itself when it does.");
const ELSEWHERE = gettext("Another window or program is sending the same file. This one goes on by itself when that one stops.");
export const SIGNED_OUT = gettext("You have been signed out. Sign in again in another tab; the upload then goes on by itself.");
export const otherUser = (now, then) => worded("You are signed in as %(now)s now, and these files are %(then)s’s. Sign in as %(then)s; the upload then goes on by itself.", { now, then });

export function trouble(status, { code } = {}) {
  if (!navigator.onLine) return OFFLINE;
  if (code === "too_many_open_uploads") return gettext("You have too many unfinished uploads. Give up some of the unfinished ones below, and this goes on by itself.");
  if (code === "storage_full") return gettext("The server has no room for more just now. The upload goes on by itself when it has.");
  return code === "part_busy" ? ELSEWHERE : AWAY;
}

// The API speaks English, and says more in it than its code does: other readers are told what the code means.
const REFUSALS = {
  bad_part_number: gettext("There is no part of that number."),
  checksum_mismatch: gettext("The bytes that arrived are not the bytes that were announced. Send the file again."),
  conflict: gettext("It has changed in the meantime. Send the file again."),
  forbidden: gettext("Your role in this workspace does not allow that."),
  invalid: gettext("The server does not take it like this."),
  invalid_name: gettext("The file's name is not usable."),
  not_found: gettext("It is not there any more. Send the file again."),
  parts_missing: gettext("Not all parts have arrived."),
  quota_exceeded: gettext("The workspace has no room for this file. Ask an administrator for more."),
  signature_expired: gettext("The address to send to has grown old. Send the file again."),
  storage_rejected: gettext("The storage does not take this file."),
  storage_unavailable: gettext("The storage does not answer just now. Try again in a moment."),
  too_large: gettext("The file is larger than this server accepts."),
  too_many_open_uploads: gettext("You have too many unfinished uploads."),
  upload_expired: gettext("The upload was not finished in time and its parts are gone. Begin it again."),
  upload_not_open: gettext("The upload takes no more bytes."),
  upload_refused: gettext("The upload was refused."),
};
export const refused = (code, detail) => (document.documentElement.lang.startsWith("en") ? detail : REFUSALS[code] ?? detail);

// What ends a file's upload until somebody does something.
export const answered = (status) => worded("The server answered %(status)s.", { status });
export const MAY_NOT_SEND = gettext("You may not send files to this workspace any more. Ask one of its managers.");
export const CHANGED = gettext("It was changed, moved or deleted after you chose it.");
export const CHOOSE_AGAIN = gettext("Choose it again to send it as it is now.");
export const SEND_AGAIN = gettext("Send it again to send it as it is now.");
export const CHANGED_ON_THE_WAY = gettext("Its content changed while it was sent.");
export const OTHER_CONTENT = gettext("Its content is not what the part that had arrived was made of, so that part was thrown away. Send it again from the beginning.");
export const UNREADABLE = gettext("The browser may not read it. Check its permissions, then choose it again.");
export const GIVEN_UP = gettext("This upload was given up in another window.");
export const DELETED_SINCE = gettext("It had arrived before, and its file was deleted since. Send it again to have it back.");
export const TOO_DEEP = gettext("The names of its folders are longer than 1024 characters together. Move it to a shorter path.");
export const tooLarge = (most) => worded("It is larger than this server takes, which is %(size)s.", { size: size(most) });

export function unreadable(name) {
  return name === "NotReadableError" || name === "NotFoundError" ? CHANGED : UNREADABLE;
}

// Of files that were begun before.
export function unfinished({ size: all, received_bytes: there }) {
  return there === null ? worded("begun · %(size)s in all", { size: size(all) }) : worded("%(part)s arrived", { part: part(there, all) });
}
export const notTheOne = (name) => worded("%(name)s is another file: its name, size or date is not that of the one that was begun. Choose that one, or add this one above as a new file.", { name });
export const otherDate = (name) => worded("%(name)s has the same name and size but another date. If it is the same file, go on with it: its content is compared before it counts.", { name });
export const GIVE_UP = { title: gettext("Give up this upload?"), text: gettext("What has arrived of it is deleted."), yes: gettext("Give up") };
export const giveUpAll = (n) => ({ title: counted("Give up %(number)s unfinished upload?", "Give up %(number)s unfinished uploads?", n), text: gettext("What has arrived of them is deleted."), yes: gettext("Give up all") });
export const removeSent = (name) => ({ title: worded("Remove %(name)s?", { name }), text: gettext("What has arrived of it is deleted."), yes: gettext("Remove") });
export const removeAll = (n) => ({ title: counted("Remove %(number)s file from the list?", "Remove %(number)s files from the list?", n), text: gettext("What has arrived of those that are not finished is deleted. Files that are sent stay among your files."), yes: gettext("Remove all") });

// Of the job that starts when its files are there.
export const STARTS_WHEN_SENT = gettext("The job starts by itself when all files are sent. Keep this page open until then.");
export const STARTS_NOW = gettext("All files are sent. The job starts.");
export const waitsFor = (name, more) => (more
  ? counted(
    "The job waits: %(name)s and %(number)s other file could not be sent. Send them again or remove them above, and it starts by itself.",
    "The job waits: %(name)s and %(number)s other files could not be sent. Send them again or remove them above, and it starts by itself.",
    more, { name },
  )
  : worded("The job waits: %(name)s could not be sent. Send it again or remove it above, and it starts by itself.", { name }));
export const WAITS_PAUSED = gettext("The job waits because the upload is paused.");
export const notStarted = (why) => `${gettext("The job was not started.")} ${why}`;
