/* The timing wheel against a plain model, and its edges one by one. No clock runs: times are given. */
#include "common/wheel.h"
#include "tests/unit/unit.h"

#define ENTRIES 200
#define START   1000000007ull
#define TURN_MS ((uint64_t)WHEEL_SLOTS * WHEEL_TICK_MS)

static struct wheel wheel;
static struct wheel_link links[ENTRIES + 1];
static unsigned fired[ENTRIES + 1];
static uint64_t now;

static struct wheel_link *link_of(void *owner, uint32_t index) {
    if (owner != links || index < 1 || index > ENTRIES) {
        ck_abort_msg("link_of(%u)", index); /* asked too often for ck_assert's own cost */
    }
    return &links[index];
}

static void start(void) {
    memset(links, 0, sizeof(links));
    memset(fired, 0, sizeof(fired));
    now = START;
    wheel_init(&wheel, now, link_of, links);
}

static void count_fire(void *context, uint32_t index) {
    (void)context;
    ck_assert_uint_eq(links[index].due_tick, 0); /* already off the wheel */
    fired[index]++;
}

static void advance_to(uint64_t time) {
    now = time;
    wheel_advance(&wheel, now, count_fire, NULL);
}

/* The list of every slot is sound, and holds exactly the entries that think they are scheduled. */
static void assert_sound(void) {
    unsigned on_lists = 0, scheduled = 0;

    for (uint32_t slot = 0; slot < WHEEL_SLOTS; slot++) {
        uint32_t previous = WHEEL_NONE;
        for (uint32_t i = wheel.slots[slot]; i != WHEEL_NONE; i = links[i].next) {
            ck_assert_uint_eq(links[i].previous, previous);
            ck_assert_uint_eq(links[i].due_tick % WHEEL_SLOTS, slot);
            ck_assert_uint_ne(links[i].due_tick, 0);
            ck_assert_uint_le(++on_lists, ENTRIES);
            previous = i;
        }
    }
    for (uint32_t i = 1; i <= ENTRIES; i++) {
        scheduled += links[i].due_tick != 0;
    }
    ck_assert_uint_eq(on_lists, scheduled);
    ck_assert_uint_eq(wheel.firing, WHEEL_NONE);
}

START_TEST(an_entry_fires_once_never_early_and_at_most_a_tick_late) {
    for (uint64_t delay = 1; delay < 200; delay++) {
        start();
        wheel_schedule(&wheel, 1, START + delay);
        advance_to(START + delay - 1);
        ck_assert_uint_eq(fired[1], 0);
        advance_to(START + delay + WHEEL_TICK_MS - 1);
        ck_assert_uint_eq(fired[1], 1);
        advance_to(START + 10000);
        ck_assert_uint_eq(fired[1], 1);
    }
}
END_TEST

START_TEST(a_due_time_in_the_past_fires_at_the_next_advance) {
    start();
    wheel_schedule(&wheel, 1, START - 1);
    wheel_schedule(&wheel, 2, 0);
    wheel_schedule(&wheel, 3, START);
    advance_to(START); /* the same millisecond */
    ck_assert_uint_eq(fired[1] + fired[2] + fired[3], 3);
    advance_to(START + 5000);
    wheel_schedule(&wheel, 4, START + 10);
    advance_to(START + 5000);
    ck_assert_uint_eq(fired[4], 1);
    assert_sound();
}
END_TEST

START_TEST(an_entry_a_turn_or_more_away_waits_for_its_turn) {
    static const uint64_t delays[] = {TURN_MS - WHEEL_TICK_MS, TURN_MS, TURN_MS + WHEEL_TICK_MS,
                                      3 * TURN_MS, 24ull * 3600 * 1000};
    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        start();
        wheel_schedule(&wheel, 1, START + delays[i]);
        for (uint64_t at = 0; at < delays[i]; at += 61 * WHEEL_TICK_MS) {
            advance_to(START + at);
            ck_assert_uint_eq(fired[1], 0);
        }
        advance_to(START + delays[i]);
        ck_assert_uint_eq(fired[1], 1);
    }
}
END_TEST

START_TEST(a_pause_of_many_turns_fires_everything_due_once) {
    start();
    for (uint32_t i = 1; i <= ENTRIES; i++) {
        wheel_schedule(&wheel, i, START + i * TURN_MS / 40);
    }
    advance_to(START + 100 * TURN_MS);
    for (uint32_t i = 1; i <= ENTRIES; i++) {
        ck_assert_uint_eq(fired[i], 1);
    }
    assert_sound();
}
END_TEST

START_TEST(a_pause_spares_what_is_not_due) {
    start();
    wheel_schedule(&wheel, 1, START + 50 * TURN_MS);
    wheel_schedule(&wheel, 2, START + 50 * TURN_MS + WHEEL_TICK_MS);
    advance_to(START + 50 * TURN_MS);
    ck_assert_uint_eq(fired[1], 1);
    ck_assert_uint_eq(fired[2], 0);
    advance_to(START + 50 * TURN_MS + WHEEL_TICK_MS);
    ck_assert_uint_eq(fired[2], 1);
}
END_TEST

START_TEST(scheduling_again_moves_and_cancelling_takes_off) {
    start();
    wheel_schedule(&wheel, 1, START + 100);
    wheel_schedule(&wheel, 1, START + 1000);
    wheel_schedule(&wheel, 2, START + 100);
    wheel_schedule(&wheel, 3, START + 100);
    wheel_schedule(&wheel, 4, START + 100);
    wheel_cancel(&wheel, 3); /* the middle of its slot */
    wheel_cancel(&wheel, 3);
    wheel_cancel(&wheel, 9); /* never scheduled */
    assert_sound();
    advance_to(START + 200);
    ck_assert_uint_eq(fired[1], 0);
    ck_assert_uint_eq(fired[2], 1);
    ck_assert_uint_eq(fired[3], 0);
    ck_assert_uint_eq(fired[4], 1);
    wheel_schedule(&wheel, 1, START + 300); /* to an earlier time */
    advance_to(START + 300);
    ck_assert_uint_eq(fired[1], 1);
}
END_TEST

START_TEST(a_clock_that_goes_back_fires_nothing) {
    start();
    advance_to(START + 10000);
    wheel_schedule(&wheel, 1, START + 10050);
    advance_to(START);
    advance_to(0);
    ck_assert_uint_eq(fired[1], 0);
    advance_to(START + 10050);
    ck_assert_uint_eq(fired[1], 1);
}
END_TEST

START_TEST(the_end_of_time_does_not_wrap) {
    start();
    wheel_schedule(&wheel, 1, UINT64_MAX);
    wheel_schedule(&wheel, 2, START + 1000);
    advance_to(START + ((uint64_t)UINT32_MAX - 10) * WHEEL_TICK_MS);
    ck_assert_uint_eq(fired[1], 0);
    ck_assert_uint_eq(fired[2], 1);
    wheel_schedule(&wheel, 3, START + ((uint64_t)UINT32_MAX - 8) * WHEEL_TICK_MS);
    advance_to(UINT64_MAX);
    ck_assert_uint_eq(fired[1], 0); /* "never" */
    ck_assert_uint_eq(fired[3], 1);
    wheel_schedule(&wheel, 4, START);
    advance_to(UINT64_MAX);
    ck_assert_uint_eq(fired[4], 1);
    wheel_cancel(&wheel, 1);
    assert_sound();
}
END_TEST

static void fire_and_again(void *context, uint32_t index) {
    fired[index]++;
    wheel_schedule(&wheel, index, *(uint64_t *)context);
}

START_TEST(an_entry_that_is_always_late_fires_once_an_advance) {
    uint64_t past = START;

    start();
    wheel_schedule(&wheel, 1, past);
    for (unsigned tick = 1; tick <= 5; tick++) {
        wheel_advance(&wheel, START + tick * WHEEL_TICK_MS, fire_and_again, &past);
        ck_assert_uint_eq(fired[1], tick);
    }
    /* The same after a pause of more than a turn, when its new slot is still to be looked at. */
    wheel_advance(&wheel, START + 3 * TURN_MS, fire_and_again, &past);
    ck_assert_uint_eq(fired[1], 6);
    assert_sound();
}
END_TEST

static void fire_and_meddle(void *context, uint32_t index) {
    (void)context;
    fired[index]++;
    /* Whoever of 1, 2, 3 comes first takes 2 and 3, or 1, off and pulls 4 to a slot already passed. */
    for (uint32_t other = 1; other <= 3; other++) {
        wheel_cancel(&wheel, other);
    }
    wheel_schedule(&wheel, 4, 0);
}

START_TEST(fire_may_cancel_and_move_entries_that_are_due_in_the_same_advance) {
    start();
    wheel_schedule(&wheel, 1, START + 100);
    wheel_schedule(&wheel, 2, START + 100);
    wheel_schedule(&wheel, 3, START + 500);
    wheel_schedule(&wheel, 4, START + 700);
    wheel_advance(&wheel, START + 1000, fire_and_meddle, NULL);
    ck_assert_uint_eq(fired[1] + fired[2], 1);
    ck_assert_uint_eq(fired[3], 0);
    ck_assert_uint_eq(fired[4], 0);
    assert_sound();
    wheel_advance(&wheel, START + 1050, count_fire, NULL);
    ck_assert_uint_eq(fired[4], 1);
}
END_TEST

/* The model: each entry's due time, or 0. */
static uint64_t model[ENTRIES + 1];
static unsigned random_state;

static unsigned draw(unsigned below) {
    return (unsigned)rand_r(&random_state) % below;
}

static uint64_t random_due(void) {
    static const uint64_t ranges[] = {1, 60, 3000, TURN_MS, 5 * TURN_MS};
    uint64_t range = ranges[draw(ARRAY_LENGTH(ranges))];

    return draw(8) == 0 ? now - draw(1000) : now + ((uint64_t)draw(1u << 30) * range >> 30);
}

static void meddle_at_random(uint32_t mine) {
    uint32_t index = draw(3) == 0 ? mine : 1 + draw(ENTRIES);

    if (draw(2) == 0) {
        wheel_cancel(&wheel, index);
        model[index] = 0;
    } else {
        uint64_t due = now + 1 + draw(2 * (unsigned)TURN_MS);
        wheel_schedule(&wheel, index, due);
        model[index] = due;
    }
}

static void fire_by_model(void *context, uint32_t index) {
    (void)context;
    ck_assert_uint_ne(model[index], 0);
    ck_assert_uint_le(model[index], now);
    model[index] = 0;
    fired[index]++;
    if (draw(4) == 0) {
        meddle_at_random(index);
    }
}

static void assert_nothing_overdue(void) {
    for (uint32_t i = 1; i <= ENTRIES; i++) {
        ck_assert_int_eq(model[i] != 0, links[i].due_tick != 0);
        if (model[i] != 0) {
            ck_assert_msg(model[i] + WHEEL_TICK_MS > now, "entry %u is %llu ms late", i,
                          (unsigned long long)(now - model[i]));
        }
    }
    assert_sound();
}

START_TEST(random_use_agrees_with_a_simple_model) {
    static const uint64_t pauses[] = {1, 40, 200, TURN_MS / 2, 3 * TURN_MS};
    uint64_t total = 0;

    for (unsigned seed = 1; seed <= 20; seed++) {
        random_state = seed;
        start();
        memset(model, 0, sizeof(model));
        for (unsigned step = 0; step < 2000; step++) {
            uint32_t index = 1 + draw(ENTRIES);
            unsigned what = draw(10);
            if (what < 6) {
                model[index] = random_due();
                wheel_schedule(&wheel, index, model[index]);
            } else if (what < 8) {
                wheel_cancel(&wheel, index);
                model[index] = 0;
            } else {
                now += draw((unsigned)pauses[draw(step % 50 == 0 ? 5 : 3)] + 1);
                wheel_advance(&wheel, now, fire_by_model, NULL);
            }
            if (step % 50 == 0 && what >= 8) {
                assert_nothing_overdue();
            }
        }
        wheel_advance(&wheel, now, fire_by_model, NULL);
        assert_nothing_overdue();
        for (uint32_t i = 1; i <= ENTRIES; i++) {
            total += fired[i];
        }
    }
    ck_assert_uint_gt(total, 5000);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("wheel");
    TCase *cases = tcase_create("wheel");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, an_entry_fires_once_never_early_and_at_most_a_tick_late);
    tcase_add_test(cases, a_due_time_in_the_past_fires_at_the_next_advance);
    tcase_add_test(cases, an_entry_a_turn_or_more_away_waits_for_its_turn);
    tcase_add_test(cases, a_pause_of_many_turns_fires_everything_due_once);
    tcase_add_test(cases, a_pause_spares_what_is_not_due);
    tcase_add_test(cases, scheduling_again_moves_and_cancelling_takes_off);
    tcase_add_test(cases, a_clock_that_goes_back_fires_nothing);
    tcase_add_test(cases, the_end_of_time_does_not_wrap);
    tcase_add_test(cases, an_entry_that_is_always_late_fires_once_an_advance);
    tcase_add_test(cases, fire_may_cancel_and_move_entries_that_are_due_in_the_same_advance);
    tcase_add_test(cases, random_use_agrees_with_a_simple_model);
    return unit_run(suite);
}
