/* The keys of session tickets in shared memory: rotation, what is still accepted, what is wiped, who may write. */
#include "shm/ticket_keys.h"

#include "shm/segment.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ticket_keys *keys;
static int fd = -1;

static void set_up(void) {
    ck_assert_int_eq(ticket_keys_create(&fd), 0);
    ck_assert_int_eq(ticket_keys_map(fd, true, &keys), 0);
}

static void tear_down(void) {
    ticket_keys_unmap(keys);
    close(fd);
}

static struct ticket_key rotate(void) {
    struct ticket_key key;
    ck_assert_int_eq(ticket_keys_rotate(keys), 0);
    ck_assert(ticket_keys_present(keys, &key));
    return key;
}

START_TEST(before_the_first_rotation_there_is_no_key) {
    struct ticket_key key = {.name = {0}};
    ck_assert(!ticket_keys_present(keys, &key));
    ck_assert_int_eq(ticket_keys_find(keys, key.name, &key), TICKET_UNKNOWN);
}
END_TEST

START_TEST(a_key_is_present_then_old_then_unknown) {
    struct ticket_key found, first = rotate();
    for (unsigned round = 0; round < 3 * TICKET_KEYS_SLOTS; round++) {
        ck_assert_int_eq(ticket_keys_find(keys, first.name, &found), TICKET_PRESENT);
        ck_assert_mem_eq(&found, &first, sizeof first);
        struct ticket_key second = rotate();
        ck_assert_mem_ne(&second, &first, sizeof first);
        ck_assert_int_eq(ticket_keys_find(keys, first.name, &found), TICKET_OLD);
        ck_assert_mem_eq(&found, &first, sizeof first);
        ck_assert_int_eq(ticket_keys_find(keys, second.name, &found), TICKET_PRESENT);
        struct ticket_key third = rotate();
        ck_assert_int_eq(ticket_keys_find(keys, first.name, &found), TICKET_UNKNOWN);
        ck_assert_int_eq(ticket_keys_find(keys, second.name, &found), TICKET_OLD);
        first = third;
    }
}
END_TEST

START_TEST(what_is_too_old_is_no_longer_in_memory) {
    struct ticket_key first = rotate();
    ck_assert_ptr_nonnull(memmem(keys, sizeof *keys, first.aes, sizeof first.aes));
    rotate();
    ck_assert_ptr_nonnull(memmem(keys, sizeof *keys, first.aes, sizeof first.aes));
    rotate();
    ck_assert_ptr_null(memmem(keys, sizeof *keys, first.aes, sizeof first.aes));
    ck_assert_ptr_null(memmem(keys, sizeof *keys, first.hmac, sizeof first.hmac));
    ck_assert_ptr_null(memmem(keys, sizeof *keys, first.name, sizeof first.name));
}
END_TEST

START_TEST(names_of_zeros_match_nothing_that_was_wiped) {
    static const unsigned char zeros[TICKET_KEY_NAME_BYTES];
    struct ticket_key found;
    for (int i = 0; i < 6; i++) {
        rotate();
        ck_assert_int_eq(ticket_keys_find(keys, zeros, &found), TICKET_UNKNOWN);
    }
}
END_TEST

START_TEST(a_worker_reads_what_the_supervisor_writes_and_cannot_write) {
    int reader = segment_reopen(fd, O_RDONLY);
    struct ticket_keys *seen;
    struct ticket_key found, key = rotate();
    ck_assert_int_eq(ticket_keys_map(reader, true, &seen), -EACCES);
    ck_assert_int_eq(ticket_keys_map(reader, false, &seen), 0);
    ck_assert_int_eq(ticket_keys_find(seen, key.name, &found), TICKET_PRESENT);
    ck_assert_mem_eq(&found, &key, sizeof key);
    ck_assert_int_ne(mprotect(seen, sizeof *seen, PROT_READ | PROT_WRITE), 0);
    ticket_keys_unmap(seen);
    close(reader);
}
END_TEST

START_TEST(another_block_is_not_taken_for_keys) {
    struct ticket_keys *seen;
    keys->head.version++;
    ck_assert_int_eq(ticket_keys_map(fd, false, &seen), -EPROTO);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ticket_keys");
    TCase *tests = tcase_create("ticket_keys");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, before_the_first_rotation_there_is_no_key);
    tcase_add_test(tests, a_key_is_present_then_old_then_unknown);
    tcase_add_test(tests, what_is_too_old_is_no_longer_in_memory);
    tcase_add_test(tests, names_of_zeros_match_nothing_that_was_wiped);
    tcase_add_test(tests, a_worker_reads_what_the_supervisor_writes_and_cannot_write);
    tcase_add_test(tests, another_block_is_not_taken_for_keys);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
