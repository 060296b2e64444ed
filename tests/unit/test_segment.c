/* The segment as a file: size, seals, rights, layout checks, and the producer's lock between processes. */
#include "shm/positions.h"
#include "shm/region.h"
#include "shm/segment.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int create(uint64_t ring_bytes) {
    int fd = -1;
    ck_assert_int_eq(segment_create(ring_bytes, 0, &fd), 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_new_segment_is_mapped_and_empty) {
    int fd = create(1 << 20);
    struct segment segment;
    ck_assert_int_eq(segment_map(fd, true, &segment), 0);
    ck_assert_uint_eq(segment.header->ring_capacity, 1 << 20);
    ck_assert_uint_eq((uintptr_t)segment.ring % 4096, 0);
    ck_assert_uint_eq((uintptr_t)segment.words % 4096, 0);
    ck_assert_ptr_eq(segment.ring + (1 << 20), (unsigned char *)segment.header + segment.size);
    ck_assert_uint_eq(load_relaxed(&segment.words->intent), 0);
    ck_assert_uint_eq(positions_count(segment.positions), 0);
    segment.ring[(1 << 20) - 1] = 1; /* the last byte is there */
    segment_unmap(&segment);
    ck_assert_ptr_null(segment.header);
    close(fd);
}
END_TEST

START_TEST(ring_bytes_are_rounded_up_to_a_power_of_two) {
    static const uint64_t cases[][2] = {
        {0, 4096},
        {1, 4096},
        {4096, 4096},
        {4097, 8192},
        {100000, 131072},
        {1u << 20, 1u << 20},
        {(1ull << 36) - 1, 1ull << 36}, /* sparse */
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        int fd = create(cases[i][0]);
        struct segment segment;
        ck_assert_int_eq(segment_map(fd, false, &segment), 0);
        ck_assert_uint_eq(segment.header->ring_capacity, cases[i][1]);
        segment_unmap(&segment);
        close(fd);
    }
    int fd = -7;
    ck_assert_int_eq(segment_create(SEGMENT_RING_MAX_BYTES + 1, 0, &fd), -EINVAL);
    ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(the_snapshot_table_has_the_budget_it_is_given_or_an_eighth_of_the_ring) {
    static const uint64_t cases[][2] = {
        {0, (8u << 20) / 8192}, /* asked for, slots of 1 KiB with their cells */
        {1, 64},
        {100000, 97},
        {1ull << 33, 1u << 23},
    };
    int fd = -7;
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct segment segment;
        ck_assert_int_eq(segment_create(8u << 20, cases[i][0], &fd), 0);
        ck_assert_int_eq(segment_map(fd, true, &segment), 0);
        ck_assert_uint_eq(segment.snapshot_shape.slots, cases[i][1]);
        ck_assert_uint_le(segment.header->snapshots_at + segment.snapshot_shape.size,
                          segment.header->ring_at);
        ((volatile unsigned char *)segment.snapshots)[segment.snapshot_shape.size - 1] = 1;
        segment_unmap(&segment);
        close(fd);
    }
    fd = -7;
    ck_assert_int_eq(segment_create(4096, SEGMENT_RING_MAX_BYTES + 1, &fd), -EINVAL);
    ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(its_memfd_is_private_sealed_and_closed_on_exec) {
    int fd = create(4096);
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, status.st_size - 1), -1);
    ck_assert_int_eq(ftruncate(fd, status.st_size + 1), -1);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    close(fd);
}
END_TEST

START_TEST(two_segments_have_different_hash_keys) {
    int fd[2] = {create(4096), create(4096)};
    struct segment segment[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(segment_map(fd[i], false, &segment[i]), 0);
    ck_assert_mem_ne(&segment[0].header->hash_key, &segment[1].header->hash_key,
                     sizeof(struct siphash_key));
    for (int i = 0; i < 2; i++) {
        segment_unmap(&segment[i]);
        close(fd[i]);
    }
}
END_TEST

START_TEST(a_worker_s_descriptor_can_not_be_made_writable) {
    int fd = create(4096);
    int reading = segment_reopen(fd, O_RDONLY);
    ck_assert_int_ge(reading, 0);
    ck_assert_int_eq(fcntl(reading, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    struct segment segment;
    ck_assert_int_eq(segment_map(reading, true, &segment), -EACCES);
    ck_assert_int_eq(segment_map(reading, false, &segment), 0);
    ck_assert_int_eq(mprotect(segment.header, segment.size, PROT_READ | PROT_WRITE), -1);
    ck_assert_int_eq(errno, EACCES);
    segment_unmap(&segment);
    close(reading);
    close(fd);
    ck_assert_int_eq(segment_reopen(-1, O_RDONLY), -ENOENT);
}
END_TEST

/* Each byte range of the header that is checked, one bit wrong in it. */
static const size_t header_fields[] = {
    offsetof(struct segment_header, magic),         offsetof(struct segment_header, version),
    offsetof(struct segment_header, header_size),   offsetof(struct segment_header, size),
    offsetof(struct segment_header, ingest_at),     offsetof(struct segment_header, positions_at),
    offsetof(struct segment_header, words_at),      offsetof(struct segment_header, ring_at),
    offsetof(struct segment_header, ring_capacity), offsetof(struct segment_header, rooms_at),
    offsetof(struct segment_header, times_at),      offsetof(struct segment_header, feeds_at),
    offsetof(struct segment_header, types_at),
};

START_TEST(a_header_with_one_wrong_bit_is_refused) {
    for (int bit = 0; bit < 32; bit++) {
        int fd = create(4096);
        struct segment segment, untouched;
        ck_assert_int_eq(segment_map(fd, true, &segment), 0);
        ((unsigned char *)segment.header)[header_fields[_i] + (unsigned)bit / 8] ^=
            (unsigned char)(1 << bit % 8);
        memset(&untouched, 0x55, sizeof(untouched));
        struct segment out = untouched;
        ck_assert_int_eq(segment_map(fd, false, &out), -EPROTO);
        ck_assert_mem_eq(&out, &untouched, sizeof(out));
        segment_unmap(&segment);
        close(fd);
    }
}
END_TEST

START_TEST(what_could_shrink_or_is_too_short_is_refused) {
    struct segment segment;
    int loose = memfd_create("loose", 0);
    ck_assert_int_eq(ftruncate(loose, 1 << 20), 0);
    ck_assert_int_eq(segment_map(loose, false, &segment), -EPROTO);
    close(loose);
    int brief;
    ck_assert_int_eq(region_create("short", 100, &brief), 0);
    ck_assert_int_eq(segment_map(brief, false, &segment), -EPROTO);
    close(brief);
    ck_assert_int_eq(segment_map(-1, false, &segment), -EBADF);
}
END_TEST

/* A child takes the lock, says so through the pipe, and waits to be killed. */
static pid_t lock_in_child(int fd) {
    int said[2];
    ck_assert_int_eq(pipe(said), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int lock = -1;
        char result = segment_lock(fd, &lock) == 0 ? 'y' : 'n';
        if (write(said[1], &result, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char result = 0;
    ck_assert_int_eq(read(said[0], &result, 1), 1);
    ck_assert_int_eq(result, 'y');
    close(said[0]);
    close(said[1]);
    return pid;
}

START_TEST(the_lock_goes_with_its_process_and_not_before) {
    int fd = create(4096);
    pid_t holder = lock_in_child(fd);
    int lock = -7;
    ck_assert_int_eq(segment_lock(fd, &lock), -EAGAIN);
    ck_assert_int_eq(lock, -7);
    ck_assert_int_eq(kill(holder, SIGKILL), 0);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    ck_assert_int_eq(segment_lock(fd, &lock), 0);
    close(lock);
    close(fd);
}
END_TEST

START_TEST(the_lock_survives_the_closing_of_other_descriptors) {
    int fd = create(4096), lock = -1, second = -1;
    ck_assert_int_eq(segment_lock(fd, &lock), 0);
    int other = segment_reopen(fd, O_RDWR);
    close(other);
    close(dup(fd));
    ck_assert_int_eq(segment_lock(fd, &second), -EAGAIN); /* even in the same process */
    close(lock);
    ck_assert_int_eq(segment_lock(fd, &second), 0);
    close(second);
    close(fd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("segment");
    TCase *tests = tcase_create("memfd");
    tcase_add_test(tests, a_new_segment_is_mapped_and_empty);
    tcase_add_test(tests, ring_bytes_are_rounded_up_to_a_power_of_two);
    tcase_add_test(tests, the_snapshot_table_has_the_budget_it_is_given_or_an_eighth_of_the_ring);
    tcase_add_test(tests, its_memfd_is_private_sealed_and_closed_on_exec);
    tcase_add_test(tests, two_segments_have_different_hash_keys);
    tcase_add_test(tests, a_worker_s_descriptor_can_not_be_made_writable);
    tcase_add_loop_test(tests, a_header_with_one_wrong_bit_is_refused, 0,
                        (int)ARRAY_LENGTH(header_fields));
    tcase_add_test(tests, what_could_shrink_or_is_too_short_is_refused);
    tcase_add_test(tests, the_lock_goes_with_its_process_and_not_before);
    tcase_add_test(tests, the_lock_survives_the_closing_of_other_descriptors);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
