#include "gateway/delivery/sample.h"

#include "common/clock.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/passed_over.h"
#include "gateway/delivery/snapshot_mirror.h"
#include "shm/snapshot_table.h"

#include <stdlib.h>

/* A turn's share, as of records that are read (event_receive.c). */
#define TURN_DELIVERIES 10000
/* Memory was out: tried again after so long. */
#define RETRY_MS 50u

/* One key, by its slot in the table. */
struct sample {
    uint64_t sent_ms; /* when its last value went out; 0: none has */
    uint64_t
        waits_at; /* position of the newest value that waits; 0: none, no key's second one lies there */
    uint32_t partition; /* of the value that waits */
    uint32_t place;     /* 1 + its place in `due`; 0: not there */
    uint16_t interval;  /* in ms */
};

struct due {
    uint64_t at_ms;
    uint32_t slot;
};

struct samples {
    struct sample *keys; /* one for each slot of the table; NULL: no route has asked yet */
    struct due *due;     /* a heap, the first one first; who waits no more stays until its time */
    uint32_t due_count;
    uint64_t followed;   /* slots that changed hands before this position have been looked at */
    uint64_t dropped_at; /* of records from here on the slots are their keys' own */
    char *value;         /* a record, and room for the mark */
    size_t value_size;   /* without that room */
};

static bool prepare(struct worker *worker);
static bool is_too_soon(const struct worker *worker, const struct record *record,
                        const struct sample *key, uint64_t now_ms);
static bool is_own_slot(const struct worker *worker, uint32_t slot, uint64_t position);
static void make_wait(struct worker *worker, const struct record *record, uint32_t slot);
static long send_waiting(struct worker *worker, uint32_t slot);
static int read_newest(struct worker *worker, uint32_t slot, uint64_t position);
static struct span mark(struct samples *samples);
static void be_due(struct samples *samples, uint32_t slot, uint64_t at_ms);
static uint32_t take_due(struct samples *samples);
static void put_due(struct samples *samples, uint32_t at, struct due due);

int samples_new(struct samples **out) {
    *out = calloc(1, sizeof **out);
    return *out != NULL ? 0 : -ENOMEM;
}

void samples_free(struct samples *samples) {
    if (samples != NULL) {
        free(samples->keys);
        free(samples->due);
        free(samples->value);
        free(samples);
    }
}

void sample_follow(struct worker *worker, uint64_t end) {
    struct samples *samples = worker->fanout->samples;
    uint64_t followed = samples->followed;
    samples->followed = end;
    samples->dropped_at = load_relaxed(&worker->view.segment.snapshots->dropped_at);
    if (samples->dropped_at < followed) {
        return;
    }
    for (uint32_t i = 0; i < samples->due_count; i++) {
        uint32_t slot = samples->due[i].slot;
        uint64_t position = samples->keys[slot].waits_at;
        if (position != 0 && !is_own_slot(worker, slot, position)) {
            (void)send_waiting(worker, slot);
        }
    }
}

long sample_record(struct worker *worker, const struct record *record) {
    struct samples *samples = worker->fanout->samples;
    uint32_t slot = record->snapshot_slot - 1;
    if ((record->sample_ms == 0 && samples->keys == NULL) ||
        slot >= worker->view.segment.snapshot_shape.slots || !prepare(worker)) {
        return fanout_record(worker, record);
    }
    struct sample *key = &samples->keys[slot];
    uint64_t now_ms = clock_mono_ms();
    if (key->waits_at != 0) { /* whatever becomes of this one, it is newer */
        passed_over_count(worker, key->partition, PASSED_OVER_SAMPLED, 1);
        key->waits_at = 0;
    }
    if (is_too_soon(worker, record, key, now_ms)) {
        make_wait(worker, record, slot);
        return 0;
    }
    long count = fanout_record(worker, record);
    key->sent_ms = now_ms; /* to nobody, too: who catches up just now reads it in the ring */
    return count;
}

bool sample_waits(const struct worker *worker) {
    return worker->fanout->samples->due_count > 0;
}

bool sample_turn(struct worker *worker) {
    struct samples *samples = worker->fanout->samples;
    long deliveries = 0;
    if (samples->due_count == 0) {
        return false;
    }
    uint64_t now_ms = clock_mono_ms();
    while (samples->due_count > 0 && samples->due[0].at_ms <= now_ms &&
           deliveries < TURN_DELIVERIES && !fanout_full(worker)) {
        uint32_t slot = take_due(samples);
        const struct sample *key = &samples->keys[slot];
        deliveries++;
        if (key->waits_at != 0 && key->sent_ms + key->interval > now_ms) {
            be_due(samples, slot, key->sent_ms + key->interval); /* one came at its time since */
        } else if (key->waits_at != 0) {
            deliveries += send_waiting(worker, slot);
        }
    }
    return samples->due_count > 0 && samples->due[0].at_ms <= now_ms && !fanout_full(worker);
}

/* Without memory every value is delivered. */
static bool prepare(struct worker *worker) {
    const struct segment *segment = &worker->view.segment;
    struct samples *samples = worker->fanout->samples;
    uint32_t slots = segment->snapshot_shape.slots;
    if (samples->keys != NULL) {
        return true;
    }
    struct sample *keys = calloc(slots, sizeof *keys);
    samples->due = malloc(slots * sizeof *samples->due);
    samples->value_size = snapshot_table_longest(segment);
    samples->value = malloc(samples->value_size + SNAPSHOT_MARK_LENGTH);
    if (keys != NULL && samples->due != NULL && samples->value != NULL) {
        samples->keys = keys;
        return true;
    }
    free(keys);
    free(samples->due);
    free(samples->value);
    samples->due = NULL;
    samples->value = NULL;
    return false;
}

static bool is_too_soon(const struct worker *worker, const struct record *record,
                        const struct sample *key, uint64_t now_ms) {
    return key->sent_ms != 0 && now_ms < key->sent_ms + record->sample_ms &&
           is_own_slot(worker, record->snapshot_slot - 1, worker->reader.cursor - record->length);
}

/* Of the record at `position`, when that was appended, and still. */
static bool is_own_slot(const struct worker *worker, uint32_t slot, uint64_t position) {
    return position >= worker->fanout->samples->dropped_at ||
           snapshot_table_holds(&worker->view.segment, slot + 1, position);
}

static void make_wait(struct worker *worker, const struct record *record, uint32_t slot) {
    struct samples *samples = worker->fanout->samples;
    struct sample *key = &samples->keys[slot];
    key->waits_at = worker->reader.cursor - record->length;
    key->partition = record->partition;
    key->interval = record->sample_ms;
    be_due(samples, slot, key->sent_ms + key->interval);
}

/* How many got it. */
static long send_waiting(struct worker *worker, uint32_t slot) {
    struct samples *samples = worker->fanout->samples;
    struct sample *key = &samples->keys[slot];
    uint64_t position = key->waits_at, now_ms = clock_mono_ms();
    const struct record *record = (const struct record *)samples->value;
    if (snapshot_table_superseded(&worker->view.segment, slot + 1, position)) {
        /* by one that is live as soon as it is read; or has been, of a route that samples no more */
        key->waits_at = 0;
        passed_over_count(worker, key->partition, PASSED_OVER_SAMPLED, 1);
        return 0;
    }
    int result = read_newest(worker, slot, position);
    long count = result == 0 ? fanout_late(worker, record, mark(samples), position) : 0;
    if (result == -ENOMEM || count < 0) {
        be_due(samples, slot, now_ms + RETRY_MS);
        return 0;
    }
    key->waits_at = 0;
    key->sent_ms = now_ms;
    return count;
}

/* The newest that this worker has read. -ENOENT: it has been overwritten in the ring, and the table has a newer one by
 * now, which will be read. */
static int read_newest(struct worker *worker, uint32_t slot, uint64_t position) {
    struct samples *samples = worker->fanout->samples;
    const struct record *record;
    struct snapshot_value value;
    int result = ring_read_at(&worker->fanout->missed, position, &record);
    if (result == RING_OK && record->length <= samples->value_size) {
        memcpy(samples->value, record, record->length);
        return 0;
    }
    if (result != RING_LAPPED) {
        return result == -ENOMEM ? result : -ENOENT;
    }
    return snapshot_table_read(&worker->view.segment, slot, worker->reader.cursor, samples->value,
                               &value) == SNAPSHOT_OK
               ? 0
               : -ENOENT;
}

static struct span mark(struct samples *samples) {
    const struct record *record = (const struct record *)samples->value;
    return snapshot_marked(samples->value + record->envelope_at, record->envelope_length);
}

/* Each slot stands there once, at the earliest time that was asked for: there is always a place. */
static void be_due(struct samples *samples, uint32_t slot, uint64_t at_ms) {
    struct due *due = samples->due;
    uint32_t at = samples->keys[slot].place;
    if (at == 0) {
        at = samples->due_count++;
    } else if (due[--at].at_ms <= at_ms) {
        return;
    }
    for (; at > 0 && due[(at - 1) / 2].at_ms > at_ms; at = (at - 1) / 2) {
        put_due(samples, at, due[(at - 1) / 2]);
    }
    put_due(samples, at, (struct due){at_ms, slot});
}

static uint32_t take_due(struct samples *samples) {
    struct due *due = samples->due, last = due[--samples->due_count];
    uint32_t slot = due[0].slot, at = 0, count = samples->due_count;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && due[child + 1].at_ms < due[child].at_ms;
        if (due[child].at_ms >= last.at_ms) {
            break;
        }
        put_due(samples, at, due[child]);
        at = child;
    }
    put_due(samples, at, last);
    samples->keys[slot].place = 0;
    return slot;
}

static void put_due(struct samples *samples, uint32_t at, struct due due) {
    samples->due[at] = due;
    samples->keys[due.slot].place = at + 1;
}
