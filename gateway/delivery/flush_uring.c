/* Back end that submits a whole slice in one system call.
 *
 * With MSG_DONTWAIT and without links, POLL_FIRST or ASYNC every send completes within submit-and-wait, so
 * nothing is in flight when send() returns: a frame's bytes and a descriptor belong to no request any more.
 * That is counted all the same, and a ring whose counts disagree is not used again (the process ends, the
 * supervisor starts another): a reused descriptor would get another client's bytes.
 *
 * Ring operations bypass seccomp, so the ring is created disabled, restricted to SEND and SENDMSG, then
 * enabled. */
#include "gateway/delivery/flush_backend.h"

#include "gateway/delivery/flush_schedule.h"

#include <liburing.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct flush_backend {
    struct io_uring ring;
    struct msghdr messages[FLUSH_SLICE];
};

/* Debian 12's liburing declares wrappers for these two but does not export them. */
static int ring_register(const struct io_uring *ring, unsigned what, const void *argument,
                         unsigned count) {
    return syscall(SYS_io_uring_register, ring->ring_fd, what, argument, count) < 0 ? -errno : 0;
}

static int restrict_to_sends(const struct io_uring *ring) {
    struct io_uring_restriction allowed[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_SEND},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_SENDMSG},
    };
    int error = ring_register(ring, IORING_REGISTER_RESTRICTIONS, allowed, ARRAY_LENGTH(allowed));
    return error != 0 ? error : ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static void destroy(struct flush_backend *backend) {
    if (backend != NULL) {
        io_uring_queue_exit(&backend->ring);
        free(backend);
    }
}

static int create(struct flush_backend **out) {
    struct flush_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return -ENOMEM;
    }
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED};
    int error = io_uring_queue_init_params(FLUSH_SLICE, &backend->ring, &params);
    if (error != 0) {
        free(backend);
        return error;
    }
    error = restrict_to_sends(&backend->ring);
    if (error != 0) {
        destroy(backend);
        return error;
    }
    *out = backend;
    return 0;
}

static void prepare(struct flush_backend *backend, const struct flush_item *item, unsigned index) {
    struct io_uring_sqe *entry = io_uring_get_sqe(&backend->ring);
    if (item->iov_count == 1) {
        io_uring_prep_send(entry, item->fd, item->iov[0].iov_base, item->iov[0].iov_len,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        backend->messages[index] = (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)item->iov,
                                                   .msg_iovlen = item->iov_count};
        io_uring_prep_sendmsg(entry, item->fd, &backend->messages[index],
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    io_uring_sqe_set_data64(entry, index);
}

static unsigned collect(struct flush_backend *backend, struct flush_item *items, unsigned count) {
    struct io_uring_cqe *entry;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&backend->ring, head, entry) {
        uint64_t index = io_uring_cqe_get_data64(entry);
        if (index < count) {
            items[index].result = entry->res;
        }
        seen++;
    }
    io_uring_cq_advance(&backend->ring, seen);
    return seen;
}

static void send_all(struct flush_backend *backend, struct flush_item *items, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        prepare(backend, &items[i], i);
    }
    unsigned completed = 0;
    while (completed < count) {
        /* submits what is not yet submitted, then waits for what is missing; EINTR: once more */
        int submitted = io_uring_submit_and_wait(&backend->ring, count - completed);
        if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
            abort(); /* entries may be in flight: no descriptor or frame may be reused */
        }
        completed += collect(backend, items, count);
    }
}

const struct flush_backend_calls flush_uring_calls = {"io_uring", create, destroy, send_all};
