/* What every unit test's main() ends with. CK_VERBOSITY and the other variables of Check hold. */
#ifndef MOONX_TESTS_UNIT_UNIT_H
#define MOONX_TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite, whose owner it becomes; the exit status of the program. */
static inline int unit_run(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
