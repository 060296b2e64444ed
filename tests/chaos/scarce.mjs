// Orders for a process that runs with scarce.c before its C library: which allocations fail. One file a gateway; the
// layout stands in scarce.c.
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';

const PID = 0, AFTER = 4, FAILURES = 8, REFUSED = 12, BYTES = 16;

export class Scarce {
    #file;

    constructor(file) {
        this.#file = file;
    }

    // Before the process starts.
    static create(file) {
        writeFileSync(file, Buffer.alloc(BYTES));
    }

    // The pid last: with it the orders count.
    begin(pid, { after, failures }) {
        this.#write(AFTER, after);
        this.#write(FAILURES, failures);
        this.#write(REFUSED, 0);
        this.#write(PID, pid);
    }

    // So many were refused.
    end() {
        this.#write(PID, 0);
        const number = Buffer.alloc(4);
        const file = openSync(this.#file, 'r');
        readSync(file, number, 0, 4, REFUSED);
        closeSync(file);
        return number.readUInt32LE();
    }

    #write(at, value) {
        const number = Buffer.alloc(4);
        number.writeUInt32LE(value);
        const file = openSync(this.#file, 'r+'); // as it is: the process has it mapped
        writeSync(file, number, 0, 4, at);
        closeSync(file);
    }
}
