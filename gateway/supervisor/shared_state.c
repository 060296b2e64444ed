#include "gateway/supervisor/shared_state.h"

#include "common/clock.h"
#include "common/config_files.h"

#include "shm/once.h"
#include "shm/uplink.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int open_segment(struct shared_state *state, uint64_t ring_bytes, uint64_t snapshot_bytes);
static int open_host(struct shared_state *state);
static int open_bell(int *fd);
static int open_worker(struct shared_state *state, unsigned index);
static int open_for_readers(struct shared_file *file);
static void set_all_closed(struct shared_state *state);
static int open_for_readers(struct shared_file *file);
static void heritage_for(const struct shared_state *state, enum heritage_role role, unsigned index,
                         const struct run_as_user *user, struct heritage *out);

int shared_state_open(uint64_t ring_bytes, uint64_t snapshot_bytes, unsigned workers,
                      struct shared_state *out) {
    set_all_closed(out);
    out->worker_count = workers;
    int result = open_segment(out, ring_bytes, snapshot_bytes);
    if (result == 0) {
        result = open_host(out);
    }
    if (result == 0) {
        result = config_files_create(&out->ingest_config.write_fd, &out->ingest_config.read_fd);
    }
    if (result == 0) {
        result = config_files_create(&out->worker_config.write_fd, &out->worker_config.read_fd);
    }
    if (result == 0) {
        result = open_bell(&out->uplink_wake_fd);
    }
    if (result == 0) {
        result = once_create(&out->once_fd);
    }
    for (unsigned i = 0; i < workers && result == 0; i++) {
        result = open_worker(out, i);
    }
    return result;
}

int shared_state_add_revocations(struct shared_state *state, uint64_t most) {
    int result = revocations_create(most, &state->revocation_file.write_fd);
    return result == 0 ? open_for_readers(&state->revocation_file) : result;
}

int shared_state_add_limits(struct shared_state *state, uint64_t clients) {
    /* an address and a user each, at worst, and the user once more to know that he is here */
    int result = limit_table_create(3 * clients, state->worker_count, &state->limit_fd);
    if (result == 0) {
        result = limit_table_map(state->limit_fd, &state->limits);
    }
    return result;
}

int shared_state_add_tickets(struct shared_state *state, uint64_t now_ms, uint64_t period_ms) {
    int result = ticket_keys_create(&state->ticket_file.write_fd);
    if (result == 0) {
        result = open_for_readers(&state->ticket_file);
    }
    if (result == 0) {
        result = ticket_keys_map(state->ticket_file.write_fd, true, &state->tickets);
    }
    return result != 0 ? result : shared_state_rotate_tickets(state, now_ms, period_ms);
}

int shared_state_rotate_tickets(struct shared_state *state, uint64_t now_ms, uint64_t period_ms) {
    if (state->tickets == NULL || now_ms < state->tickets_due_ms) {
        return 0;
    }
    int result = ticket_keys_rotate(state->tickets);
    if (result == 0) {
        state->tickets_due_ms = now_ms + period_ms;
    }
    return result;
}

static void close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static void close_file(struct shared_file *file) {
    close_fd(&file->write_fd);
    close_fd(&file->read_fd);
}

void shared_state_close(struct shared_state *state) {
    if (state->segment.header) {
        segment_unmap(&state->segment);
    }
    if (state->host) {
        host_block_unmap(state->host);
    }
    if (state->limits.header) {
        limit_table_unmap(&state->limits);
    }
    if (state->tickets) {
        ticket_keys_unmap(state->tickets);
    }
    close_fd(&state->limit_fd);
    close_fd(&state->uplink_wake_fd);
    close_file(&state->ticket_file);
    close_fd(&state->once_fd);
    close_file(&state->segment_file);
    close_file(&state->host_file);
    close_file(&state->revocation_file);
    close_file(&state->ingest_config);
    close_file(&state->worker_config);
    for (unsigned i = 0; i < state->worker_count; i++) {
        if (state->workers[i]) {
            worker_block_unmap(state->workers[i]);
        }
        close_file(&state->worker_file[i]);
        close_fd(&state->wake_fd[i]);
        close_fd(&state->uplink_fd[i]);
    }
    set_all_closed(state);
}

void shared_state_ingest_heritage(const struct shared_state *state, const struct run_as *run_as,
                                  struct heritage *out) {
    heritage_for(state, HERITAGE_INGEST, 0, &run_as->ingest, out);
    out->segment_fd = state->segment_file.write_fd;
    out->revocation_fd = state->revocation_file.write_fd;
    out->config_fd = state->ingest_config.read_fd;
    out->once_fd = state->once_fd;
    for (unsigned i = 0; i < state->worker_count; i++) {
        /* it takes the sleeping flag back when it wakes a worker */
        out->worker_fd[i] = state->worker_file[i].write_fd;
        out->wake_fd[i] = state->wake_fd[i];
        out->uplink_fd[i] = state->uplink_fd[i];
    }
}

void shared_state_worker_heritage(const struct shared_state *state, const struct run_as *run_as,
                                  const struct listeners *listeners, unsigned index,
                                  struct heritage *out) {
    heritage_for(state, HERITAGE_WORKER, index, &run_as->worker, out);
    out->segment_fd = state->segment_file.read_fd;
    out->revocation_fd = state->revocation_file.read_fd;
    out->config_fd = state->worker_config.read_fd;
    for (unsigned i = 0; i < state->worker_count; i++) {
        out->worker_fd[i] = state->worker_file[i].read_fd;
        out->wake_fd[i] = state->wake_fd[i];
    }
    out->worker_fd[index] = state->worker_file[index].write_fd;
    out->uplink_fd[index] = state->uplink_fd[index];
    out->limit_fd = state->limit_fd;
    out->ticket_fd = state->ticket_file.read_fd;
    out->admin_fd = listeners->admin_fd;
    out->listen_count = listeners_share(listeners, index, state->worker_count, out->listen_fd);
}

void shared_state_clear_ingest(struct shared_state *state) {
    struct ingest_block *block = state->segment.ingest;
    store_relaxed(&block->heartbeat_ns, 0);
    store_relaxed(&block->pid, 0);
}

void shared_state_clear_worker(struct shared_state *state, unsigned index) {
    struct worker_block *block = state->workers[index];
    store_relaxed(&block->state, WORKER_ABSENT);
    store_relaxed(&block->sleeping, 0);
    store_relaxed(&block->heartbeat_ns, 0);
    store_relaxed(&block->pid, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(block->interest); i++) {
        store_relaxed(&block->interest[i], 0);
    }
    stats_reset_gauges(&block->stats);
    if (state->limits.header) {
        limit_table_clear_worker(&state->limits, index);
    }
}

static void set_all_closed(struct shared_state *state) {
    const struct shared_file closed = {-1, -1};
    *state = (struct shared_state){.segment_file = closed,
                                   .host_file = closed,
                                   .revocation_file = closed,
                                   .ingest_config = closed,
                                   .worker_config = closed,
                                   .uplink_wake_fd = -1,
                                   .ticket_file = closed,
                                   .once_fd = -1,
                                   .limit_fd = -1};
    for (unsigned i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        state->worker_file[i] = closed;
        state->wake_fd[i] = state->uplink_fd[i] = -1;
    }
}

static int open_for_readers(struct shared_file *file) {
    int fd = segment_reopen(file->write_fd, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    file->read_fd = fd;
    return 0;
}

static int open_segment(struct shared_state *state, uint64_t ring_bytes, uint64_t snapshot_bytes) {
    int result = segment_create(ring_bytes, snapshot_bytes, &state->segment_file.write_fd);
    if (result == 0) {
        result = open_for_readers(&state->segment_file);
    }
    if (result == 0) {
        result = segment_map(state->segment_file.write_fd, true, &state->segment);
    }
    return result;
}

static int open_host(struct shared_state *state) {
    int result = host_block_create(&state->host_file.write_fd);
    if (result == 0) {
        result = open_for_readers(&state->host_file);
    }
    if (result == 0) {
        result = host_block_map(state->host_file.write_fd, true, &state->host);
    }
    if (result == 0) {
        state->host->started_wall_ms = clock_wall_ms();
        state->host->started_mono_ns = clock_mono_ns();
        state->host->worker_count = state->worker_count;
    }
    return result;
}

static int open_bell(int *fd) {
    *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

static int open_worker(struct shared_state *state, unsigned index) {
    struct shared_file *file = &state->worker_file[index];
    int result = worker_block_create(&file->write_fd);
    if (result == 0) {
        result = open_for_readers(file);
    }
    if (result == 0) {
        result = worker_block_map(file->write_fd, true, &state->workers[index]);
    }
    if (result == 0) {
        result = uplink_create(&state->uplink_fd[index]);
    }
    if (result == 0) {
        result = open_bell(&state->wake_fd[index]);
    }
    return result;
}

static void heritage_for(const struct shared_state *state, enum heritage_role role, unsigned index,
                         const struct run_as_user *user, struct heritage *out) {
    *out = (struct heritage){
        .magic = HERITAGE_MAGIC,
        .version = HERITAGE_VERSION,
        .size = sizeof(*out),
        .role = role,
        .index = index,
        .worker_count = state->worker_count,
        .run_as_uid = user->uid,
        .run_as_gid = user->gid,
        .segment_fd = -1,
        .admin_fd = -1,
        .revocation_fd = -1,
        .limit_fd = -1,
        .ticket_fd = -1,
        .host_fd = state->host_file.read_fd,
        .uplink_wake_fd = state->uplink_wake_fd,
        .once_fd = -1,
    };
    for (unsigned i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        out->worker_fd[i] = out->wake_fd[i] = out->listen_fd[i] = out->uplink_fd[i] = -1;
    }
}
