/* Subject of torture_step.c: a worker that asks the others and one that answers, each killed as it writes. What can be
 * read is whole and to the question; a successor's question and answer take the place of what was left. */
#ifndef MOONX_TESTS_STEP_SURVEY_H
#define MOONX_TESTS_STEP_SURVEY_H

#include "shm/worker_block.h"
#include "tests/torture/step.h"

#define STEP_SURVEYS    2u
#define STEP_SURVEY_ROW 40u

static struct { struct worker_block *live, *copy; } step_survey;

/* All that is in it follows from its number. */
static void step_survey_fill(uint64_t number, struct survey_question *question,
                             struct survey_answer *answer) {
    uint32_t length = (uint32_t)number * 40;
    memset(question, 0, sizeof(*question));
    memset(answer, 0, sizeof(*answer));
    question->kind = SURVEY_MEMBERS;
    question->length = length;
    memset(question->text, 'a' + (int)number, length);
    answer->asker = 1;
    answer->total = number;
    answer->count = (uint32_t)number * 2;
    for (uint32_t i = 0; i < answer->count; i++) {
        answer->rows[i].id = number;
        answer->rows[i].length = STEP_SURVEY_ROW;
        memset(answer->rows[i].name, 'A' + (int)number, STEP_SURVEY_ROW);
    }
}

static void step_survey_write(struct worker_block *block, uint64_t number) {
    struct survey_question question;
    static struct survey_answer answer;
    step_survey_fill(number, &question, &answer);
    survey_ask(&block->question, &question, number);
    survey_answer_put(&block->answer, &answer, number);
}

static void step_survey_prepare(void) {
    int fd = -1;
    fixture_need(worker_block_create(&fd), "worker_block_create");
    fixture_need(worker_block_map(fd, true, &step_survey.live), "worker_block_map");
    fixture_need(worker_block_map(fd, true, &step_survey.copy), "worker_block_map");
    step_copy(step_survey.copy, sizeof(*step_survey.copy), fd);
    step_survey_write(step_survey.live, 3);
    step_watch(&step_survey.live->question, &step_survey.copy->question,
               sizeof(step_survey.live->question));
    step_watch(&step_survey.live->answer, &step_survey.copy->answer,
               offsetof(struct survey_answer, rows[8]));
}

static void step_survey_operate(void) {
    for (uint64_t number = 4; number < 4 + STEP_SURVEYS; number++) {
        step_survey_write(step_survey.live, number);
        survey_end(&step_survey.live->question);
        step_done();
    }
}

/* True: a question can be read, whole; and whoever waits for the answer to `number` finds it whole or not at all. */
static bool step_survey_look(uint64_t number) {
    static struct survey_question question, asked;
    static struct survey_answer answer, given;
    bool open = survey_question_read(&step_survey.copy->question, &asked);
    uint64_t found = load_relaxed(&asked.number);

    step_survey_fill(open ? found : number, &question, &answer);
    step_expect(!open || (asked.kind == question.kind && asked.length == question.length &&
                          memcmp(asked.text, question.text, question.length) == 0),
                "question %llu is torn", (unsigned long long)found);
    step_survey_fill(number, &question, &answer);
    if (survey_answer_read(&step_survey.copy->answer, 1, number, &given))
        step_expect(given.count == answer.count && given.total == answer.total &&
                        memcmp(given.rows, answer.rows, answer.count * sizeof(answer.rows[0])) == 0,
                    "answer %llu is torn", (unsigned long long)number);
    return open;
}

static void step_survey_read(uint64_t done) {
    for (uint64_t number = 3; number <= 4 + done && number < 4 + STEP_SURVEYS; number++)
        (void)step_survey_look(number);
}

/* It takes the question away that was left, then asks and answers. */
static void step_survey_succeed(uint64_t done) {
    static struct survey_answer given;
    (void)done;
    survey_end(&step_survey.copy->question);
    step_expect(!step_survey_look(4), "a dead worker's question is open");
    step_survey_write(step_survey.copy, 4 + STEP_SURVEYS);
    step_expect(step_survey_look(4 + STEP_SURVEYS) &&
                    survey_answer_read(&step_survey.copy->answer, 1, 4 + STEP_SURVEYS, &given),
                "a successor can't ask and answer");
}

#endif
