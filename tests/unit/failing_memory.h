/* malloc and its kin are ours here, for the libraries too: the n-th allocation fails, or all from the n-th on. The address
 * sanitizer brings its own: then nothing fails, and the test is only walked through. Included once a program. */
#ifndef MOONX_TESTS_UNIT_FAILING_MEMORY_H
#define MOONX_TESTS_UNIT_FAILING_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_FAILS false
#define SURE_MALLOC  malloc
#define SURE_REALLOC realloc
#else
#define MEMORY_FAILS true
#define SURE_MALLOC  __libc_malloc /* for a library that is to be spared */
#define SURE_REALLOC __libc_realloc
#endif

static struct {
    bool armed;
    bool from_then_on;
    unsigned fail_at; /* the n-th allocation, from 1 */
    unsigned count;
} allocations;

#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool fails(void) {
    if (!allocations.armed) {
        return false;
    }
    unsigned n = ++allocations.count;
    if (n == allocations.fail_at || (allocations.from_then_on && n > allocations.fail_at)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    return fails() ? NULL : __libc_realloc(block, size);
}
#endif

#endif
