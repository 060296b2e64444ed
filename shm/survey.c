#include "shm/survey.h"

#define BEHIND_NUMBER sizeof(uint64_t) /* that word is stored alone, before and after */

static void put(shm_u64 *shared_number, const void *from, size_t size, uint64_t number) {
    store_relaxed(shared_number, 0);
    fence_release(); /* A: pairs with B, who sees a word of the copy sees the 0 as well */
    order_copy_in((char *)shared_number + BEHIND_NUMBER, (const char *)from + BEHIND_NUMBER,
                  size - BEHIND_NUMBER);
    store_release(shared_number, number); /* C: pairs with D */
}

static bool copy(shm_u64 *shared_number, void *to, size_t size, uint64_t number) {
    order_copy_out((char *)to + BEHIND_NUMBER, (char *)shared_number + BEHIND_NUMBER,
                   size - BEHIND_NUMBER);
    fence_acquire(); /* B: pairs with A */
    return load_relaxed(shared_number) == number;
}

void survey_ask(struct survey_question *shared, struct survey_question *question, uint64_t number) {
    put(&shared->number, question, sizeof(*question), number);
}

void survey_end(struct survey_question *shared) {
    store_release(&shared->number, 0);
}

bool survey_question_read(struct survey_question *shared, struct survey_question *out) {
    uint64_t number = load_acquire(&shared->number); /* D: pairs with C */

    if (number == 0 || !copy(&shared->number, out, sizeof(*out), number) ||
        out->length > SURVEY_TEXT_BYTES) {
        return false;
    }
    store_relaxed(&out->number, number);
    return true;
}

void survey_answer_put(struct survey_answer *shared, struct survey_answer *answer,
                       uint64_t number) {
    put(&shared->number, answer, sizeof(*answer), number);
}

bool survey_answer_read(struct survey_answer *shared, uint32_t asker, uint64_t number,
                        struct survey_answer *out) {
    if (load_acquire(&shared->number) != number || /* D */
        !copy(&shared->number, out, sizeof(*out), number) || out->asker != asker ||
        out->count > SURVEY_ROWS) {
        return false;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->rows[i].length > SURVEY_NAME_BYTES) {
            return false;
        }
    }
    return true;
}
