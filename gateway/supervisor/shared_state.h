/* All shared memory and wake-ups of one host, as the supervisor makes and keeps them: the segment, the host
 * block, one block, one uplink queue and one eventfd per worker slot, one eventfd for ingest. Nothing of it has a name in the file system, so nothing
 * stays when the last process is gone. One per supervisor, from start to end; children see the parts that
 * their heritage names. */
#ifndef MOONX_GATEWAY_SUPERVISOR_SHARED_STATE_H
#define MOONX_GATEWAY_SUPERVISOR_SHARED_STATE_H

#include "common/heritage.h"
#include "gateway/supervisor/listeners.h"
#include "gateway/supervisor/run_as.h"
#include "shm/host_block.h"
#include "shm/limit_table.h"
#include "shm/revocations.h"
#include "shm/segment.h"
#include "shm/ticket_keys.h"
#include "shm/worker_block.h"

/* Two descriptors each: one for the writer, one opened O_RDONLY for everybody else. */
struct shared_file {
    int write_fd;
    int read_fd;
};

struct shared_state {
    struct shared_file segment_file;
    struct shared_file host_file;
    struct shared_file revocation_file;
    struct shared_file
        ingest_config; /* configured files, by who may see them (common/config_files.h) */
    struct shared_file worker_config;
    struct shared_file ticket_file; /* closed without TLS */
    struct shared_file worker_file[HERITAGE_MAX_WORKERS];
    int wake_fd[HERITAGE_MAX_WORKERS];
    int uplink_fd[HERITAGE_MAX_WORKERS]; /* each written by its worker and by ingest */
    int uplink_wake_fd;
    int once_fd;  /* what counts once; ingest writes it */
    int limit_fd; /* all workers write it: limits, and who is here; -1 before it is made */
    unsigned worker_count;
    struct segment segment;
    struct host_block *host;
    struct worker_block *workers[HERITAGE_MAX_WORKERS];
    struct limit_table limits;   /* header NULL without */
    struct ticket_keys *tickets; /* NULL without */
    uint64_t tickets_due_ms;     /* monotonic time of their next key */
};

/* Makes and maps everything. All of it stays the supervisor's user's, mode 0600: as root, a child that has
 * become another user can open nothing anew and has only the rights of the descriptors it was given.
 * *out can be closed in every case. */
int shared_state_open(uint64_t ring_bytes, uint64_t snapshot_bytes, unsigned workers,
                      struct shared_state *out) MUST_CHECK;
/* The table of revocations, for so many at once. After shared_state_open(), before any child starts. */
int shared_state_add_revocations(struct shared_state *state, uint64_t most) MUST_CHECK;
/* The table of limits, for so many clients. After shared_state_open(), before any worker starts. */
int shared_state_add_limits(struct shared_state *state, uint64_t clients) MUST_CHECK;
/* The keys of TLS session tickets, with the first key. When limits are added. */
int shared_state_add_tickets(struct shared_state *state, uint64_t now_ms,
                             uint64_t period_ms) MUST_CHECK;
/* A new key when a period is over; nothing without tickets. -EIO: no randomness, tried again when called again. */
int shared_state_rotate_tickets(struct shared_state *state, uint64_t now_ms,
                                uint64_t period_ms) MUST_CHECK;
void shared_state_close(struct shared_state *state);

/* What that child inherits. */
void shared_state_ingest_heritage(const struct shared_state *state, const struct run_as *run_as,
                                  struct heritage *out);
void shared_state_worker_heritage(const struct shared_state *state, const struct run_as *run_as,
                                  const struct listeners *listeners, unsigned index,
                                  struct heritage *out);

/* Sets back what a dead predecessor has left and its successor has not set yet: no heartbeat, no pid, no
 * state, no gauges. Only while no process of that role runs: the supervisor is then the one writer. */
void shared_state_clear_ingest(struct shared_state *state);
void shared_state_clear_worker(struct shared_state *state, unsigned index);

#endif
