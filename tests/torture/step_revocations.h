/* Subject of torture_step.c: the table of revocations. Whatever moment its writer is killed at, nothing that was in force
 * is forgotten, nobody else is refused, every change that is told can be read or is told to be gone; and once the
 * successor has done the unfinished one again, all is in force and told. */
#ifndef MOONX_TESTS_STEP_REVOCATIONS_H
#define MOONX_TESTS_STEP_REVOCATIONS_H

#include "shm/revocations.h"
#include "tests/torture/step.h"

#define STEP_REVOCATIONS_NOW   5000u
#define STEP_REVOCATIONS_UNTIL 9000u
#define STEP_REVOCATIONS_TOLD  (REVOCATIONS_CHANGES - 2) /* before: the ring of changes goes round */
/* Keys: the upper half chooses the set. */
#define STEP_KEY(set, number) ((uint64_t)(set) << 32 | (number))

static struct { struct revocations live, copy; } step_revocations;

static const struct step_revocation {
    uint64_t key; /* 0: everybody's */
    uint64_t before_ms;
    bool fits;
} step_revocation_list[] = {
    {STEP_KEY(1, 10), 100, true},  /* into a place that is free */
    {STEP_KEY(1, 10), 200, true},  /* the same, more of it */
    {STEP_KEY(2, 10), 300, true},  /* into the only place whose time is over */
    {STEP_KEY(3, 10), 400, false}, /* into a set that is full: it becomes the whole set's */
    {0, 50, true},
    {STEP_KEY(1, 11), REVOCATIONS_ANY_TIME, true},
};
#define STEP_REVOCATIONS ARRAY_LENGTH(step_revocation_list)

static bool step_revocation_put(const struct revocations *table, unsigned number) {
    const struct step_revocation *one = &step_revocation_list[number];
    struct revocations_change change = {
        .kind = REVOCATION_TOKEN, .key = one->key, .before_ms = one->before_ms, .name_length = 200};
    bool fits = true;

    memset(change.name, 'a' + (int)number, change.name_length);
    if (one->key == 0)
        revocations_put_all(table, one->before_ms, STEP_REVOCATIONS_UNTIL);
    else
        fits = revocations_put(table, one->key, one->before_ms, STEP_REVOCATIONS_UNTIL,
                               STEP_REVOCATIONS_NOW);
    revocations_announce(table, &change);
    return fits == one->fits;
}

/* Issued just before that. */
static bool step_revocation_stands(unsigned number) {
    const struct step_revocation *one = &step_revocation_list[number];
    const struct revocations *table = &step_revocations.copy;
    return one->key == 0
               ? revocations_has_all(table, one->before_ms - 1, STEP_REVOCATIONS_NOW)
               : revocations_has(table, one->key, one->before_ms - 1, STEP_REVOCATIONS_NOW);
}

static bool step_revoked(uint64_t key, uint64_t issued_ms) {
    return revocations_has(&step_revocations.copy, key, issued_ms, STEP_REVOCATIONS_NOW);
}

/* Two full sets, in one of them an entry whose time is over, and a ring of changes that is about to go round. */
static void step_revocations_prepare(void) {
    const struct revocations *live = &step_revocations.live;
    int fd = -1;
    fixture_need(revocations_create(1, &fd), "revocations_create");
    fixture_need(revocations_map(fd, true, &step_revocations.live), "revocations_map");
    fixture_need(revocations_map(fd, true, &step_revocations.copy), "revocations_map");
    step_copy(step_revocations.copy.header, live->size, fd);
    for (unsigned set = 2; set <= 3; set++)
        for (unsigned i = 0; i < REVOCATIONS_WAYS; i++) {
            uint64_t until_ms = set == 2 && i == 5 ? 1000 : STEP_REVOCATIONS_UNTIL;
            step_need(revocations_put(live, STEP_KEY(set, 100 + i), 70, until_ms, 10));
        }
    for (uint64_t i = 0; i < STEP_REVOCATIONS_TOLD; i++)
        revocations_announce(live, &(struct revocations_change){.kind = REVOCATION_USER});
    struct revocations_header *header = live->header, *copy = step_revocations.copy.header;
    unsigned last = REVOCATIONS_CHANGES - 1;
    step_watch(header, copy, offsetof(struct revocations_header, changes[STEP_REVOCATIONS]));
    step_watch(&header->changes[last], &copy->changes[last], sizeof(header->changes[last]));
    step_watch(live->entries, step_revocations.copy.entries,
               4 * (size_t)REVOCATIONS_WAYS * sizeof(live->entries[0]));
}

static void step_revocations_operate(void) {
    for (unsigned i = 0; i < STEP_REVOCATIONS; i++) {
        step_need(step_revocation_put(&step_revocations.live, i));
        step_done();
    }
}

static void step_revocations_check_old(void) {
    for (unsigned set = 2; set <= 3; set++)
        for (unsigned i = 0; i < REVOCATIONS_WAYS; i++)
            step_expect(step_revoked(STEP_KEY(set, 100 + i), 69) == !(set == 2 && i == 5),
                        "set %u: number %u is not what it was", set, i);
}

/* Tokens that nobody spoke of, and those issued too late for what was said. */
static void step_revocations_check_others(void) {
    step_expect(!step_revoked(STEP_KEY(1, 12), 0) && !step_revoked(STEP_KEY(2, 12), 0) &&
                    !step_revoked(STEP_KEY(9, 10), 0) && !step_revoked(STEP_KEY(1, 10), 200) &&
                    !step_revoked(STEP_KEY(2, 10), 300) && !step_revoked(STEP_KEY(3, 10), 400) &&
                    !revocations_has_all(&step_revocations.copy, 50, STEP_REVOCATIONS_NOW),
                "a token is refused that nobody has revoked");
}

/* Only the one that is being written over may be gone. */
static void step_revocations_check_changes(uint64_t done) {
    const struct revocations *copy = &step_revocations.copy;
    uint64_t told = revocations_sequence(copy);
    uint64_t oldest = told >= REVOCATIONS_CHANGES ? told + 2 - REVOCATIONS_CHANGES : 1;
    struct revocations_change change;

    step_expect(told >= STEP_REVOCATIONS_TOLD + done && told <= STEP_REVOCATIONS_TOLD + done + 1,
                "%llu changes are told after %llu", (unsigned long long)told,
                (unsigned long long)done);
    for (uint64_t sequence = oldest; sequence <= told; sequence++) {
        uint64_t number = sequence - STEP_REVOCATIONS_TOLD - 1;
        bool mine = sequence > STEP_REVOCATIONS_TOLD;
        step_expect(revocations_change(copy, sequence, &change), "change %llu can't be read",
                    (unsigned long long)sequence);
        step_expect(!mine || (change.key == step_revocation_list[number].key &&
                              change.name_length == 200 && change.name[0] == 'a' + (int)number &&
                              change.name[199] == 'a' + (int)number),
                    "change %llu is not whole", (unsigned long long)sequence);
    }
}

static void step_revocations_read(uint64_t done) {
    step_revocations_check_old();
    step_revocations_check_others();
    step_revocations_check_changes(done);
    for (unsigned i = 0; i < STEP_REVOCATIONS; i++)
        step_expect(i >= done || step_revocation_stands(i), "revocation %u is not in force", i);
}

/* The control message that was not finished is read again. */
static void step_revocations_succeed(uint64_t done) {
    uint64_t told = revocations_sequence(&step_revocations.copy);
    for (unsigned i = (unsigned)done; i < STEP_REVOCATIONS; i++)
        (void)step_revocation_put(&step_revocations.copy, i);
    for (unsigned i = 0; i < STEP_REVOCATIONS; i++)
        step_expect(step_revocation_stands(i), "revocation %u did not come into force", i);
    step_expect(revocations_sequence(&step_revocations.copy) == told + STEP_REVOCATIONS - done,
                "not all changes were told again");
    step_revocations_check_old();
    step_revocations_check_others();
}

#endif
