#include "gateway/survey.h"

#include "common/clock.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/http/liveness.h"

/* Rooms looked at in one tick: some two milliseconds. */
#define ROOMS_A_TICK 50000u

struct waiting {
    struct survey_question question;
    survey_done *done;
    void *context;
};

static struct {
    /* what this worker asks: the first of the row is open under `number` */
    struct waiting row[SURVEY_WAITING];
    unsigned count;
    uint64_t number, deadline_ms;
    /* what it answers: to the asker's question `answering`; 0: nothing */
    uint32_t asker;
    uint64_t answering;
    uint32_t next_room; /* 0: the answer is out */
    struct survey_answer answer;
} state;

static void ask_next(struct worker *worker);
static bool all_answered(struct worker *worker);
static void finish(struct worker *worker);
static void answer_somebody(struct worker *worker);
static void begin_answer(struct worker *worker, uint32_t asker,
                         const struct survey_question *question);
static void answer_user(struct worker *worker, struct span id);
static void look_at_rooms(struct worker *worker);
static void keep_if_large(const struct room *room);
static void sink(uint32_t at);

int survey_begin(struct worker *worker, const struct survey_question *question, survey_done *done,
                 void *context) {
    if (state.count == SURVEY_WAITING) {
        return -EBUSY;
    }
    state.row[state.count++] = (struct waiting){*question, done, context};
    if (state.count == 1) {
        ask_next(worker);
    }
    return 0;
}

void survey_start(struct worker *worker) {
    survey_end(&worker->block->question);
}

void survey_stop(struct worker *worker) {
    for (unsigned i = 0; i < state.count; i++) {
        state.row[i].done(worker, 0, state.row[i].context);
    }
    state.count = 0;
    if (worker->block != NULL) {
        survey_end(&worker->block->question);
    }
}

void survey_tick(struct worker *worker) {
    answer_somebody(worker);
    if (state.count > 0 && (all_answered(worker) || clock_mono_ms() >= state.deadline_ms)) {
        finish(worker);
    }
}

static void ask_next(struct worker *worker) {
    state.number = clock_mono_ns();
    state.deadline_ms = clock_mono_ms() + SURVEY_TIMEOUT_MS;
    survey_ask(&worker->block->question, &state.row[0].question, state.number);
}

static bool all_answered(struct worker *worker) {
    uint64_t now_ns = clock_mono_ns();

    for (uint32_t i = 0; i < worker->view.worker_count; i++) {
        struct worker_block *block = worker->view.workers[i];
        if (liveness_worker(block, now_ns) && load_acquire(&block->answer.number) != state.number) {
            return false;
        }
    }
    return true;
}

static bool same_question(const struct survey_question *a, const struct survey_question *b) {
    return a->kind == b->kind &&
           span_equal((struct span){a->text, a->length}, (struct span){b->text, b->length});
}

/* Whoever has asked the same meanwhile gets the same answers. */
static void finish(struct worker *worker) {
    const struct survey_question question = state.row[0].question;
    unsigned left = 0;

    for (unsigned i = 0; i < state.count; i++) {
        struct waiting waiting = state.row[i];
        if (same_question(&waiting.question, &question)) {
            waiting.done(worker, state.number, waiting.context);
        } else {
            state.row[left++] = waiting;
        }
    }
    survey_end(&worker->block->question);
    state.count = left;
    if (state.count > 0) {
        ask_next(worker);
    }
}

/* One question at a time; the next one is looked for from the asker on, so that nobody is passed over for ever. */
static void answer_somebody(struct worker *worker) {
    uint32_t count = worker->view.worker_count;
    struct survey_question question;

    if (state.answering != 0 &&
        load_acquire(&worker->view.workers[state.asker]->question.number) == state.answering) {
        if (state.next_room != 0) {
            look_at_rooms(worker);
        }
        return;
    }
    state.answering = 0;
    for (uint32_t i = 1; i <= count; i++) {
        uint32_t asker = (state.asker + i) % count;
        struct worker_block *block = worker->view.workers[asker];
        if (block != NULL && survey_question_read(&block->question, &question)) {
            begin_answer(worker, asker, &question);
            return;
        }
    }
}

static void publish(struct worker *worker) {
    state.next_room = 0;
    survey_answer_put(&worker->block->answer, &state.answer, state.answering);
}

static void begin_answer(struct worker *worker, uint32_t asker,
                         const struct survey_question *question) {
    state.asker = asker;
    state.answering = load_relaxed(&question->number);
    state.answer.asker = asker;
    state.answer.count = 0;
    state.answer.total = 0;
    if (question->kind == SURVEY_USER) {
        answer_user(worker, (struct span){question->text, question->length});
        publish(worker);
    } else {
        state.next_room = 1;
        look_at_rooms(worker);
    }
}

static void answer_user(struct worker *worker, struct span id) {
    struct survey_answer *answer = &state.answer;
    uint64_t hash = room_name_hash(&worker->view.segment.header->hash_key, id);
    const struct user *user = user_find(&worker->fanout->users, hash, id);
    uint32_t index = user != NULL ? user->first_conn : 0;

    for (; index != 0; index = conn_at(worker, index)->user_next) {
        const struct conn *conn = conn_at(worker, index);
        if (!conn_authenticated(conn)) {
            continue;
        }
        answer->total++;
        if (answer->count < SURVEY_ROWS) {
            answer->rows[answer->count++] = (struct survey_row){
                .id = conn->id, .count = conn->room_count, .live = conn->state == CONN_LIVE};
        }
    }
}

/* The heap's first is the smallest of those kept. */
static void look_at_rooms(struct worker *worker) {
    const struct slab *rooms = &worker->fanout->rooms.rooms;
    uint32_t until = state.next_room + ROOMS_A_TICK;

    for (; state.next_room < rooms->next_new && state.next_room < until; state.next_room++) {
        const struct room *room = slab_at(rooms, state.next_room);
        if (room->count > 0) {
            state.answer.total++;
            keep_if_large(room);
        }
    }
    if (state.next_room >= rooms->next_new) {
        publish(worker);
    }
}

static void set_row(struct survey_row *row, const struct room *room) {
    row->count = room->count;
    row->length = room->name_length < SURVEY_NAME_BYTES ? room->name_length : SURVEY_NAME_BYTES;
    memcpy(row->name, room->name, row->length);
}

static void keep_if_large(const struct room *room) {
    struct survey_answer *answer = &state.answer;

    if (answer->count < SURVEY_ROWS) {
        set_row(&answer->rows[answer->count++], room);
        for (uint32_t i = SURVEY_ROWS / 2; answer->count == SURVEY_ROWS && i-- > 0;) {
            sink(i); /* full: from now on it is a heap */
        }
    } else if (room->count > answer->rows[0].count) {
        set_row(&answer->rows[0], room);
        sink(0);
    }
}

static void sink(uint32_t at) {
    struct survey_row *rows = state.answer.rows;

    for (uint32_t child = 2 * at + 1; child < SURVEY_ROWS; child = 2 * at + 1) {
        if (child + 1 < SURVEY_ROWS && rows[child + 1].count < rows[child].count) {
            child++;
        }
        if (rows[at].count <= rows[child].count) {
            return;
        }
        struct survey_row moved = rows[at];
        rows[at] = rows[child];
        rows[child] = moved;
        at = child;
    }
}
