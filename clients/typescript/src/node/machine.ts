// What Node can hash a piece at a time.

import { createHash } from "node:crypto";
import { unknownDigest, type Machine } from "../machine.js";
import { chunks } from "../reading.js";

const DIGESTS: ReadonlySet<string> = new Set(["sha256", "md5"]);

export const NODE: Machine = {
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), hex: () => Promise.resolve(hash.digest("hex")) };
  },
  async digest(name, part) {
    if (!DIGESTS.has(name)) throw unknownDigest(name);
    const hash = createHash(name);
    for await (const block of chunks(part.stream())) hash.update(block);
    return hash.digest("base64");
  },
};
