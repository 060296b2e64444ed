/* WebSocket frames as a client of the bench sends and reads them. */
#ifndef MOONX_BENCH_LOAD_FRAME_H
#define MOONX_BENCH_LOAD_FRAME_H

#include "common/base.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LOAD_FRAME_OPCODE   0x0f
#define LOAD_FRAME_DEFLATED 0x40               /* RSV1 */
#define LOAD_MASK_KEY       "\x37\x9a\x11\xc4" /* fixed: nothing on loopback needs to be protected */

/* A masked frame that fits 1 KiB. 0 or -EIO. */
static inline int load_send_frame(int fd, unsigned opcode, const char *payload, size_t length) {
    unsigned char frame[1024];
    size_t at = 0;
    frame[at++] = (unsigned char)(0x80 | opcode);
    if (length < 126) {
        frame[at++] = (unsigned char)(0x80 | length);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (unsigned char)(length >> 8);
        frame[at++] = (unsigned char)(length & 0xff);
    }
    if (at + 4 + length > sizeof(frame)) {
        return -EIO;
    }
    memcpy(frame + at, LOAD_MASK_KEY, 4);
    at += 4;
    for (size_t i = 0; i < length; i++) {
        frame[at + i] = (unsigned char)(payload[i] ^ LOAD_MASK_KEY[i % 4]);
    }
    at += length;
    return send(fd, frame, at, MSG_NOSIGNAL) == (ssize_t)at ? 0 : -EIO;
}

/* Size of the frame's header and payload, 0 when not even the header is there. */
static inline size_t load_frame_size(const unsigned char *at, size_t length, size_t *header) {
    if (length < 2) {
        return 0;
    }
    size_t size = at[1] & 0x7f;
    *header = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (length < *header) {
        return 0;
    }
    if (size == 126) {
        size = (size_t)at[2] << 8 | at[3];
    } else if (size == 127) {
        size = 0;
        for (unsigned i = 2; i < 10; i++) {
            size = size << 8 | at[i];
        }
    }
    return *header + size;
}

#endif
