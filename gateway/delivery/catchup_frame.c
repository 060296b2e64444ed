#include "gateway/delivery/catchup_frame.h"

#include "gateway/delivery/catchup_collect.h"
#include "gateway/delivery/catchup_queue.h"
#include "shm/snapshot_table.h"

#include <stdlib.h>

static int read_record(struct worker *worker, const struct catchup_missed *missed,
                       const struct record **out);
static int read_value(struct worker *worker, const struct catchup_missed *missed,
                      const struct record **out);
static bool fits(const struct record *record);
static void forget(struct frame_arena *arena, struct catchup_frame *frame);
static void deflate(struct fanout *fanout, struct catchup_frame *frame);

int catchup_frame_at(struct worker *worker, const struct catchup_missed *missed,
                     struct catchup_frame **out) {
    uint64_t position = missed->position;
    struct catchup_frames *frames = &worker->fanout->catchups->frames;
    struct frame_arena *arena = &worker->fanout->arena;
    struct catchup_frame *frame = &frames->places[position / RECORD_ALIGN % CATCHUP_FRAME_PLACES];
    const struct record *record;
    struct frame_piece piece;
    if (frame->plain.block != 0 && frame->position == position) {
        *out = frame;
        return 0;
    }
    int error = read_record(worker, missed, &record);
    if (error == -EALREADY) {
        forget(arena, &frames->once);
        frames->once.record = record;
        *out = &frames->once;
    }
    if (error == 0) {
        error = frame_make(arena, WSLAY_TEXT_FRAME, record_envelope(record), &piece);
    }
    if (error != 0) {
        return error;
    }
    frame = fits(record) ? frame : &frames->once;
    forget(arena, frame);
    if (frame != &frames->once) {
        memcpy(frame->head, record, record->envelope_at);
        record = (const struct record *)(const void *)frame->head;
    }
    frame->position = position;
    frame->record = record;
    frame->plain = piece;
    frame->shared = frame->deflate_tried = false;
    frame_ref(arena, piece.block);
    frames->used = true;
    *out = frame;
    return 0;
}

struct frame_piece catchup_frame_piece(struct worker *worker, struct catchup_frame *frame,
                                       bool deflated) {
    if (deflated && frame->shared && !frame->deflate_tried) {
        deflate(worker->fanout, frame);
    }
    frame->shared = true;
    return deflated && frame->deflated.block != 0 ? frame->deflated : frame->plain;
}

void catchup_frame_clear(struct worker *worker) {
    struct catchup_frames *frames = &worker->fanout->catchups->frames;
    if (frames->used) {
        for (unsigned i = 0; i < CATCHUP_FRAME_PLACES; i++) {
            forget(&worker->fanout->arena, &frames->places[i]);
        }
        forget(&worker->fanout->arena, &frames->once);
        frames->used = false;
    }
}

void catchup_frame_done(struct catchup_frames *frames) {
    free(frames->value);
    frames->value = NULL;
}

static int read_record(struct worker *worker, const struct catchup_missed *missed,
                       const struct record **out) {
    int result = ring_read_at(&worker->fanout->missed, missed->position, out);
    if (result != RING_LAPPED) {
        return result;
    }
    return missed->snapshot_slot != 0 ? read_value(worker, missed, out) : -ESTALE;
}

/* What was listed is the newest that the table had then: it is still that one, or gave way to one that is newer, unless
 * the slot is another key's by now. */
static int read_value(struct worker *worker, const struct catchup_missed *missed,
                      const struct record **out) {
    const struct segment *segment = &worker->view.segment;
    struct catchup_frames *frames = &worker->fanout->catchups->frames;
    struct snapshot_value value;
    if (frames->value == NULL) {
        frames->value = malloc(snapshot_table_longest(segment));
    }
    if (frames->value == NULL) {
        return -ENOMEM;
    }
    enum snapshot_result result = snapshot_table_read(segment, missed->snapshot_slot - 1,
                                                      missed->position + 1, frames->value, &value);
    if (result == SNAPSHOT_BUSY) {
        return -EAGAIN;
    }
    if (result == SNAPSHOT_FREE || value.since > missed->position) {
        return -ESTALE;
    }
    *out = value.record;
    return result == SNAPSHOT_LATER ? -EALREADY : 0;
}

/* Names before the envelope, as ingest writes them, and not too many. */
static bool fits(const struct record *record) {
    for (unsigned i = 0; i < record->room_count; i++) {
        if (record->rooms[i].name_at + record->rooms[i].name_length > record->envelope_at) {
            return false;
        }
    }
    return record->envelope_at <= CATCHUP_FRAME_HEAD_BYTES;
}

static void forget(struct frame_arena *arena, struct catchup_frame *frame) {
    if (frame->plain.block != 0) {
        frame_unref(arena, frame->plain.block);
    }
    if (frame->deflated.block != 0) {
        frame_unref(arena, frame->deflated.block);
    }
    frame->plain.block = frame->deflated.block = 0;
}

/* What is deflated lies in the plain frame, behind its header. */
static void deflate(struct fanout *fanout, struct catchup_frame *frame) {
    size_t length = frame->record->envelope_length;
    const unsigned char *bytes = frame_bytes(&fanout->arena, frame->plain);
    struct span payload = {(const char *)bytes + frame->plain.length - length, length};
    frame->deflate_tried = true;
    if (!fanout_deflate(fanout, payload, &frame->deflated)) {
        frame->deflated.block = 0;
    }
}
