/* The one step that writes to sockets, with two back ends: io_uring (one system call for a slice of
 * connections) and sendmsg (one each). Chosen at start; both see the same items and give the same results.
 * Every item is a different descriptor: two writes of one slice on one socket could overtake each other. */
#ifndef MOONX_GATEWAY_DELIVERY_FLUSH_BACKEND_H
#define MOONX_GATEWAY_DELIVERY_FLUSH_BACKEND_H

#include "common/base.h"

#include <sys/uio.h>

#define FLUSH_MAX_PIECES 8u

struct flush_item {
    int fd;
    unsigned iov_count; /* 1..FLUSH_MAX_PIECES */
    struct iovec iov[FLUSH_MAX_PIECES];
    long result; /* bytes written, or -errno; -EAGAIN: the socket is full */
};

struct flush_backend; /* a back end's own state */

struct flush_backend_calls {
    const char *name;
    /* -errno: the kernel (or a seccomp filter) does not have it. */
    int (*create)(struct flush_backend **out);
    void (*destroy)(struct flush_backend *backend);
    /* Writes all items without waiting for any socket; every result is set on return. */
    void (*send)(struct flush_backend *backend, struct flush_item *items, unsigned count);
};

extern const struct flush_backend_calls flush_sendmsg_calls;
extern const struct flush_backend_calls flush_uring_calls;

#endif
