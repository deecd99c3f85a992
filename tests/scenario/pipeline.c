/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "sim/sim.h"
#define TEST(name) static void name(void **state UNUSED)
TEST(a_dropped_file_arrives)
{
    sim_begin(1);
    tree_write(SIM_ROOT "/campaigns/a.jpg", "one");
    sim_start();
    sim_settle();
    char *t = portal_text(SIM_TENANT "/campaigns/a.jpg");
    assert_non_null(t);
    assert_string_equal(t, "one");
    free(t);
    sim_kill();
    sim_end();
}
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_dropped_file_arrives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
