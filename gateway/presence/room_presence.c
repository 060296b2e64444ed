#include "gateway/presence/room_presence.h"

#include "common/clock.h"
#include "gateway/http/liveness.h"
#include "gateway/redis/redis_rooms.h"
#include "gateway/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

struct asker {
    SLIST_ENTRY(asker) next;
    room_presence_answer *answer;
    void *context;
};

enum part { ABSENT, UNDER_WAY, DONE };

/* About one room, for clients of this worker or (no asker) for another host. */
struct question {
    TAILQ_ENTRY(question) next;
    struct room_presence *presence;
    char id[REDIS_ROOMS_ID_BYTES]; /* in Redis */
    char room[ROOM_NAME_MAX_BYTES + 1];
    bool for_host, begun, failed;
    bool calling;      /* Redis owes an answer */
    enum part workers; /* of this host */
    enum part hosts;   /* the others */
    int others;        /* how many they are */
    uint64_t until_ms;
    SLIST_HEAD(, asker) askers;
    struct room_members *members; /* from its begin on */
};

struct room_presence {
    struct worker *worker;
    TAILQ_HEAD(, question) questions; /* in the order in which they were asked */
    unsigned open, count, asker_count;
    bool polling, stopped;
};

static struct question *question_add(struct room_presence *presence, struct span room);
static int asker_add(struct question *question, room_presence_answer *answer, void *context);
static void begin_what_may(struct room_presence *presence);
static void settle_if_done(struct question *question);
static void settle(struct question *question);
static void collect(struct question *question);
static void poll_hosts(struct room_presence *presence);
static survey_done on_workers;
static redis_rooms_asked on_asked;
static redis_rooms_answers on_answers;
static redis_rooms_question on_question;

int room_presence_new(struct worker *worker, struct room_presence **out) {
    struct room_presence *presence = calloc(1, sizeof(*presence));

    if (presence == NULL) {
        return -ENOMEM;
    }
    presence->worker = worker;
    TAILQ_INIT(&presence->questions);
    *out = presence;
    return 0;
}

void room_presence_free(struct room_presence *presence) {
    assert(presence == NULL || TAILQ_EMPTY(&presence->questions));
    free(presence);
}

static struct question *waiting_about(struct room_presence *presence, struct span room) {
    struct question *question;

    TAILQ_FOREACH(question, &presence->questions, next) {
        if (!question->begun && !question->for_host && span_is(room, question->room)) {
            return question;
        }
    }
    return NULL;
}

int room_presence_ask(struct room_presence *presence, struct span room,
                      room_presence_answer *answer, void *context) {
    struct redis *redis = presence->worker->redis;
    struct question *question = waiting_about(presence, room);
    bool known = question != NULL;

    if (presence->stopped || presence->asker_count == ROOM_PRESENCE_ASKERS ||
        (!known && presence->count >= ROOM_PRESENCE_WAITING) ||
        (redis != NULL && !redis_is_up(redis))) {
        return -EAGAIN;
    }
    question = known ? question : question_add(presence, room);
    if (question == NULL) {
        return -ENOMEM;
    }
    int result = asker_add(question, answer, context);
    if (result != 0 && !known) {
        settle(question);
    }
    begin_what_may(presence);
    return result;
}

void room_presence_tick(struct room_presence *presence, bool host) {
    struct redis *redis = presence->worker->redis;
    struct question *question;

    begin_what_may(presence);
    if (redis == NULL || !redis_is_up(redis)) {
        return; /* calls under way fail by themselves */
    }
    TAILQ_FOREACH(question, &presence->questions, next) {
        if (question->hosts == UNDER_WAY && !question->calling) {
            collect(question);
        }
    }
    if (host && !presence->polling && !presence->stopped) {
        poll_hosts(presence);
    }
}

void room_presence_stop(struct room_presence *presence) {
    struct question *question, *following;

    presence->stopped = true;
    for (question = TAILQ_FIRST(&presence->questions); question != NULL; question = following) {
        following = TAILQ_NEXT(question, next);
        if (!question->begun) {
            question->failed = true;
            settle(question);
        }
    }
}

/* ---- questions and who asks them */

static struct question *question_add(struct room_presence *presence, struct span room) {
    struct question *question = calloc(1, sizeof(*question));

    if (question == NULL || room.length > ROOM_NAME_MAX_BYTES) {
        free(question);
        return NULL;
    }
    question->presence = presence;
    memcpy(question->room, room.data, room.length);
    SLIST_INIT(&question->askers);
    TAILQ_INSERT_TAIL(&presence->questions, question, next);
    presence->count++;
    return question;
}

static int asker_add(struct question *question, room_presence_answer *answer, void *context) {
    struct asker *asker = malloc(sizeof(*asker));

    if (asker == NULL) {
        return -ENOMEM;
    }
    *asker = (struct asker){.answer = answer, .context = context};
    SLIST_INSERT_HEAD(&question->askers, asker, next);
    question->presence->asker_count++;
    return 0;
}

/* Another host waits for what is known here. */
static void tell_host(struct question *question) {
    struct worker *worker = question->presence->worker;
    cJSON *object = cJSON_CreateObject();
    char *text =
        room_members_write(question->members, object) ? cJSON_PrintUnformatted(object) : NULL;

    if (text != NULL && worker->redis != NULL) {
        redis_rooms_answer(worker->redis, worker->options->instance_id, question->id,
                           span_of(text));
    }
    free(text);
    cJSON_Delete(object);
}

/* It has left the list before anybody is told: who is told may ask again. */
static void settle(struct question *question) {
    struct room_presence *presence = question->presence;
    struct room_members *members = question->failed ? NULL : question->members;

    TAILQ_REMOVE(&presence->questions, question, next);
    presence->count--;
    presence->open -= question->begun && !question->for_host;
    if (question->for_host && !question->failed) {
        tell_host(question);
    }
    while (!SLIST_EMPTY(&question->askers)) {
        struct asker *asker = SLIST_FIRST(&question->askers);
        SLIST_REMOVE_HEAD(&question->askers, next);
        presence->asker_count--;
        asker->answer(asker->context, members);
        free(asker);
    }
    free(question->members);
    free(question);
}

static void settle_if_done(struct question *question) {
    bool whole = question->hosts != UNDER_WAY || question->failed;

    if (question->workers != UNDER_WAY && whole && !question->calling) {
        struct room_presence *presence = question->presence;
        settle(question);
        begin_what_may(presence);
    }
}

/* ---- this host */

/* What other hosts ask may always begin: they wait for it, as this host's questions wait for them. */
static bool may_begin(const struct room_presence *presence, const struct question *about) {
    const struct question *question;

    if (about->begun || about->for_host) {
        return !about->begun;
    }
    TAILQ_FOREACH(question, &presence->questions, next) {
        if (question->begun && !question->for_host && strcmp(question->room, about->room) == 0) {
            return false;
        }
    }
    return presence->open < ROOM_PRESENCE_OPEN;
}

static bool ask_workers(struct question *question) {
    struct survey_question survey = {.kind = SURVEY_MEMBERS,
                                     .length = (uint32_t)strlen(question->room)};

    memcpy(survey.text, question->room, survey.length);
    if (survey_begin(question->presence->worker, &survey, on_workers, question) != 0) {
        return false;
    }
    question->workers = UNDER_WAY;
    return true;
}

static void ask_hosts(struct question *question) {
    struct worker *worker = question->presence->worker;
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        question->failed = true;
        return;
    }
    (void)snprintf(question->id, sizeof(question->id), "%016" PRIx64, random);
    question->hosts = UNDER_WAY;
    question->calling = redis_rooms_ask(worker->redis, worker->options->instance_id, question->id,
                                        span_of(question->room), on_asked, question) == 0;
    question->failed = !question->calling;
}

static bool begin(struct question *question) {
    struct room_presence *presence = question->presence;

    if (question->members == NULL) {
        question->members = malloc(sizeof(*question->members));
    }
    if (question->members == NULL || !ask_workers(question)) {
        return false;
    }
    room_members_init(question->members);
    question->begun = true;
    question->until_ms = clock_mono_ms() + ROOM_PRESENCE_TIMEOUT_MS;
    presence->open += !question->for_host;
    if (!question->for_host && presence->worker->redis != NULL) {
        ask_hosts(question);
    }
    return true;
}

static void begin_what_may(struct room_presence *presence) {
    struct question *question;

    TAILQ_FOREACH(question, &presence->questions, next) {
        if (presence->stopped) {
            return;
        }
        if (may_begin(presence, question) && !begin(question)) {
            return; /* the next tick tries again */
        }
    }
}

static void take_rows(struct question *question, const struct survey_answer *answer) {
    room_members_part(question->members, answer->total, answer->count);
    for (uint32_t i = 0; i < answer->count; i++) {
        room_members_add(question->members,
                         (struct span){answer->rows[i].name, answer->rows[i].length});
    }
}

static void on_workers(struct worker *worker, uint64_t number, void *context) {
    static struct survey_answer answer;
    struct question *question = context;
    uint64_t now_ns = clock_mono_ns();

    for (uint32_t i = 0; number != 0 && i < worker->view.worker_count; i++) {
        struct worker_block *block = worker->view.workers[i];
        if (!liveness_worker(block, now_ns)) {
            continue; /* its sockets have gone with it, or will */
        }
        if (survey_answer_read(&block->answer, worker->heritage.index, number, &answer)) {
            take_rows(question, &answer);
        } else {
            room_members_miss(question->members);
        }
    }
    question->workers = DONE;
    question->failed |= number == 0;
    settle_if_done(question);
}

/* ---- other hosts */

static void on_asked(void *context, int others) {
    struct question *question = context;

    question->calling = false;
    question->others = others;
    question->failed |= others < 0;
    question->hosts = others > 0 ? UNDER_WAY : DONE;
    settle_if_done(question);
}

static void collect(struct question *question) {
    struct worker *worker = question->presence->worker;

    question->calling = redis_rooms_collect(worker->redis, worker->options->instance_id,
                                            question->id, on_answers, question) == 0;
}

static unsigned answered(const struct span *answers, unsigned count) {
    unsigned there = 0;

    for (unsigned i = 0; i < count; i++) {
        there += answers[i].length > 0;
    }
    return there;
}

static void take_answers(struct question *question, const struct span *answers, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (answers[i].length == 0 || room_members_read(question->members, answers[i]) != 0) {
            room_members_miss(question->members);
        }
    }
    question->hosts = DONE;
}

static void on_answers(void *context, const struct span *answers, unsigned count) {
    struct question *question = context;

    question->calling = false;
    if (count == 0) {
        question->failed = true;
        question->hosts = DONE;
    } else if (answered(answers, count) == count || clock_mono_ms() >= question->until_ms) {
        take_answers(question, answers, count);
    }
    settle_if_done(question);
}

static void poll_hosts(struct room_presence *presence) {
    struct worker *worker = presence->worker;

    presence->polling =
        redis_rooms_poll(worker->redis, worker->options->instance_id, on_question, presence) == 0;
}

/* A call for each, and one without an id when that was all. */
static void on_question(void *context, const char *id, struct span room) {
    struct room_presence *presence = context;

    if (id == NULL) {
        presence->polling = false;
        begin_what_may(presence);
        return;
    }
    if (presence->stopped || !room_name_valid(room) || presence->count >= ROOM_PRESENCE_WAITING) {
        return; /* whoever asks does without this host */
    }
    struct question *question = question_add(presence, room);
    if (question != NULL) {
        question->for_host = true;
        memcpy(question->id, id, sizeof(question->id));
    }
}
