#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
static void ok(void **s){ (void)s; assert_int_equal(1,1);} 
static void bad(void **s){ (void)s; assert_int_equal(1,2);} 
static void skp(void **s){ (void)s; skip(); }
static int su(void **s){ (void)s; return -1; }
static void never(void **s){ (void)s; }
int main(void){ const struct CMUnitTest t[]={cmocka_unit_test(ok),cmocka_unit_test(bad),cmocka_unit_test(skp),cmocka_unit_test_setup(never,su)}; const struct CMUnitTest u[]={cmocka_unit_test(ok)};
 int r=cmocka_run_group_tests_name("group",t,NULL,NULL); r+=cmocka_run_group_tests_name("grp2",u,su,NULL); return r; }
