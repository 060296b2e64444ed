#include "gateway/survey.h"

#include "common/clock.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/http/liveness.h"
#include "gateway/survey_members.h"
#include "shm/wake.h"

/* Rooms looked at in one tick: some two milliseconds. */
#define ROOMS_A_TICK 50000u

struct waiting {
    struct survey_question question;
    survey_done *done;
    void *context;
    bool put; /* the answers under way are to this one too: what has been joined before it counts */
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
    state.row[state.count++] = (struct waiting){*question, done, context, false};
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
    if (state.next_room != 0) {
        look_at_rooms(worker);
    }
    survey_hear(worker);
}

void survey_hear(struct worker *worker) {
    answer_somebody(worker);
    if (state.count > 0 && (all_answered(worker) || clock_mono_ms() >= state.deadline_ms)) {
        finish(worker);
    }
}

static bool same_question(const struct survey_question *a, const struct survey_question *b) {
    return a->kind == b->kind &&
           span_equal((struct span){a->text, a->length}, (struct span){b->text, b->length});
}

static void ring(const struct worker *worker, uint32_t index) {
    wake_bell(worker->heritage.wake_fd[index]);
}

/* Own bell too: this worker answers in a turn of its own, as all do. */
static void ring_all(const struct worker *worker) {
    for (uint32_t i = 0; i < worker->view.worker_count; i++) {
        ring(worker, i);
    }
}

static void ask_next(struct worker *worker) {
    state.number = clock_mono_ns();
    state.deadline_ms = clock_mono_ms() + SURVEY_TIMEOUT_MS;
    for (unsigned i = 0; i < state.count; i++) {
        state.row[i].put = same_question(&state.row[i].question, &state.row[0].question);
    }
    survey_ask(&worker->block->question, &state.row[0].question, state.number);
    ring_all(worker);
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

/* Whoever had asked the same before it was put gets the same answers. */
static void finish(struct worker *worker) {
    unsigned left = 0;

    for (unsigned i = 0; i < state.count; i++) {
        struct waiting waiting = state.row[i];
        if (waiting.put) {
            waiting.done(worker, state.number, waiting.context);
        } else {
            state.row[left++] = waiting;
        }
    }
    survey_end(&worker->block->question);
    state.count = left;
    if (state.count > 0) {
        ask_next(worker);
    } else {
        ring_all(worker); /* another's question may have waited for this one */
    }
}

/* The oldest open question: as all take the same one, none waits for who waits for another. One that is open for longer
 * than its asker waits is that of a worker that stands still. Its asker's index, or -1. */
static int oldest_question(const struct worker *worker, struct survey_question *question) {
    uint64_t oldest = UINT64_MAX, now_ns = clock_mono_ns();
    int asker = -1;

    for (uint32_t i = 0; i < worker->view.worker_count; i++) {
        struct worker_block *block = worker->view.workers[i];
        uint64_t number = block != NULL ? load_acquire(&block->question.number) : 0;
        bool waits = number != 0 && number + SURVEY_TIMEOUT_MS * 1000000ull > now_ns;
        if (waits && number < oldest) {
            oldest = number;
            asker = (int)i;
        }
    }
    return asker >= 0 && survey_question_read(&worker->view.workers[asker]->question, question)
               ? asker
               : -1;
}

static void answer_somebody(struct worker *worker) {
    struct survey_question question;
    int asker = oldest_question(worker, &question);

    if (asker < 0) {
        state.answering = 0;
        state.next_room = 0;
    } else if (load_relaxed(&question.number) != state.answering) {
        begin_answer(worker, (uint32_t)asker, &question);
    }
}

static void publish(struct worker *worker) {
    state.next_room = 0;
    survey_answer_put(&worker->block->answer, &state.answer, state.answering);
    ring(worker, state.asker);
}

static void begin_answer(struct worker *worker, uint32_t asker,
                         const struct survey_question *question) {
    state.asker = asker;
    state.answering = load_relaxed(&question->number);
    state.next_room = 0;
    state.answer.asker = asker;
    state.answer.count = 0;
    state.answer.total = 0;
    struct span text = {question->text, question->length};
    if (question->kind == SURVEY_USER) {
        answer_user(worker, text);
        publish(worker);
    } else if (question->kind == SURVEY_MEMBERS) {
        survey_members(worker, text, &state.answer);
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
