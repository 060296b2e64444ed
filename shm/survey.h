/* A question of one worker to all of them, and each one's answer: which rooms have listeners, which sockets a user has,
 * who is in a room. Only a worker knows its own connections, and only it writes its block (worker_block.h), so both lie in
 * blocks: the question in the asker's, every answer in the answerer's. Asked by operators' pages and by `presence` of a
 * room; nothing here is touched by a delivery or an idle connection.
 *
 *   question  [number u64 | kind u32 | length u32 | text]      number 0: none is open
 *   answer    [number u64 | asker u32 | count u32 | total u64 | rows], the same number once it is complete
 *
 * A worker answers one question at a time, the oldest that is open, and leaves the answer alone as long as that question
 * is open; the asker takes it away when it has all answers or its deadline has passed. A worker that asks and dies holds
 * nobody up: its successor takes the question away, and one that has been open for longer than its deadline is passed
 * over. Numbers come from the monotonic clock: all agree which is the oldest, and no successor repeats one. What was read
 * is checked: the number once more after the copy (of two asked in the same microsecond an older one may turn up when the
 * newer is being answered), every length. */
#ifndef MOONX_SHM_SURVEY_H
#define MOONX_SHM_SURVEY_H

#include "common/base.h"
#include "shm/order.h"

#define SURVEY_ROWS       256u /* of one worker: its largest rooms, or that many sockets */
#define SURVEY_NAME_BYTES 128u /* of a room */
#define SURVEY_TEXT_BYTES 256u

enum survey_kind { SURVEY_ROOMS, SURVEY_USER, SURVEY_MEMBERS };

struct survey_question {
    shm_u64 number;
    uint32_t kind;
    uint32_t length;
    char text[SURVEY_TEXT_BYTES]; /* SURVEY_USER: the user's id; SURVEY_MEMBERS: the room's name */
};

struct survey_row {
    uint64_t id;                  /* SURVEY_USER: the connection's */
    uint32_t count;               /* listeners of the room; rooms of the socket */
    uint16_t live;                /* SURVEY_USER: 1; 0: it is catching up */
    uint16_t length;              /* of name */
    char name[SURVEY_NAME_BYTES]; /* SURVEY_ROOMS: the room's; SURVEY_MEMBERS: the user's id */
};

struct survey_answer {
    shm_u64 number;
    uint32_t asker; /* its index among the workers */
    uint32_t count; /* rows */
    uint64_t
        total; /* how many there are, in rows or not; SURVEY_MEMBERS: at most, when more than rows */
    struct survey_row rows[SURVEY_ROWS];
};
static_assert(sizeof(struct survey_question) % 8 == 0 && sizeof(struct survey_answer) % 8 == 0,
              "copied by words");

/* Writer: puts the question under its number, or takes away what is open. */
void survey_ask(struct survey_question *shared, struct survey_question *question, uint64_t number);
void survey_end(struct survey_question *shared);
/* A copy whose length can be relied on; false: none is open. */
bool survey_question_read(struct survey_question *shared, struct survey_question *out) MUST_CHECK;

/* Writer: the answer to that question. */
void survey_answer_put(struct survey_answer *shared, struct survey_answer *answer, uint64_t number);
/* A copy whose count and lengths can be relied on; false: there is none to that question yet. */
bool survey_answer_read(struct survey_answer *shared, uint32_t asker, uint64_t number,
                        struct survey_answer *out) MUST_CHECK;

#endif
