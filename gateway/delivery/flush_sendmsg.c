/* Back end for kernels without io_uring: one send or sendmsg a connection. */
#include "gateway/delivery/flush_backend.h"

#include <sys/socket.h>

static int create(struct flush_backend **out) {
    *out = NULL; /* it has no state */
    return 0;
}

static void destroy(struct flush_backend *backend) {
    (void)backend;
}

static void send_item(struct flush_item *item) {
    long sent;
    do {
        if (item->iov_count == 1) {
            sent = send(item->fd, item->iov[0].iov_base, item->iov[0].iov_len,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            const struct msghdr message = {.msg_iov = item->iov, .msg_iovlen = item->iov_count};
            sent = sendmsg(item->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    item->result = sent < 0 ? -errno : sent;
}

static void send_all(struct flush_backend *backend, struct flush_item *items, unsigned count) {
    (void)backend;
    for (unsigned i = 0; i < count; i++) {
        send_item(&items[i]);
    }
}

const struct flush_backend_calls flush_sendmsg_calls = {"sendmsg", create, destroy, send_all};
