/* Exactly what a child process inherits from the supervisor: one flat struct in a sealed memfd whose
 * descriptor number stands in the environment variable MOONX_HERITAGE. Everything else a child knows it
 * gets from the same command line and environment as the supervisor. It lives here and not in
 * gateway/supervisor because moonx-ingest reads it too.
 *
 * Writer: the supervisor, once per child. Reader: that child, once at its start. Descriptors that a role
 * must not have are -1 and are not inherited. */
#ifndef MOONX_COMMON_HERITAGE_H
#define MOONX_COMMON_HERITAGE_H

#include "common/base.h"

#define HERITAGE_ENVIRONMENT "MOONX_HERITAGE"
#define HERITAGE_MAGIC       0x6d6f6f6e68657269ull
#define HERITAGE_VERSION     5u
#define HERITAGE_MAX_WORKERS 64

enum heritage_role { HERITAGE_INGEST = 1, HERITAGE_WORKER = 2 };

struct heritage {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* sizeof(struct heritage) */
    uint32_t role;
    uint32_t index;        /* the worker's slot, 0-based; 0 for ingest */
    uint32_t worker_count; /* slots in use: 0 .. worker_count-1 */
    uint32_t run_as_uid;   /* to become after secrets are read; the current uid: nothing to do */
    uint32_t run_as_gid;
    int32_t segment_fd; /* ingest: read-write; workers: O_RDONLY */
    int32_t host_fd;    /* struct host_block, O_RDONLY for all children */
    int32_t
        worker_fd[HERITAGE_MAX_WORKERS];   /* worker blocks: own one read-write, others O_RDONLY */
    int32_t wake_fd[HERITAGE_MAX_WORKERS]; /* eventfds; a worker waits for its own */
    int32_t listen_fd[HERITAGE_MAX_WORKERS]; /* the worker's share of the listening sockets */
    uint32_t listen_count;
    int32_t uplink_fd[HERITAGE_MAX_WORKERS]; /* queues to Kafka: ingest all, a worker its own */
    int32_t uplink_wake_fd;                  /* ingest's eventfd: all children */
    int32_t once_fd;                         /* what counts once: ingest alone (shm/once.h) */
    int32_t admin_fd;      /* the listening socket of ADMIN_LISTEN; workers, if it is set */
    int32_t revocation_fd; /* revoked tokens: ingest read-write, workers O_RDONLY */
    int32_t limit_fd;      /* the limits' table, read-write; workers */
    int32_t config_fd;     /* the role's configured files, O_RDONLY (common/config_files.h) */
    int32_t ticket_fd; /* keys of TLS session tickets, O_RDONLY; workers, if there are tickets */
};

/* Reads and checks what HERITAGE_ENVIRONMENT names, closes that memfd, removes the variable and marks all
 * inherited descriptors close-on-exec. 1: this process is a child and *out is filled; 0: it is none;
 * -EPROTO: the variable is there but what it names is not ours or of another version. */
int heritage_take(struct heritage *out) MUST_CHECK;

/* Becomes run_as_uid and run_as_gid (setgroups, setgid, setuid, in this order) and makes sure that there
 * is no way back. A death signal (PR_SET_PDEATHSIG) is kept; -ESRCH when the parent has died meanwhile.
 * 0 or -errno. */
int heritage_drop_privileges(const struct heritage *heritage) MUST_CHECK;

#endif
