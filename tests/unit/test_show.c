/* Values as Python would print them: for people, and safe on every terminal. */
#include "fixture.h"

#include "judged.h"

/* What a pickle's result is shown as, in a buffer of a size. */
static void expect_shown(const char *bytes, size_t size, size_t room, const char *wanted) {
    judged *j = judged_new(bytes, size, NULL, 0);
    char *shown = malloc(room);
    assert_non_null(shown);
    size_t length = sft_show_value(&j->pickle.graph, &j->input, j->pickle.result, shown, room);
    assert_string_equal(shown, wanted);
    assert_int_equal(length, strlen(shown));
    free(shown);
    judged_free(j);
}

#define SHOWN(pickle, wanted) expect_shown(pickle, sizeof(pickle) - 1, 200, wanted)

static void test_plain_values(void **state) {
    (void)state;
    SHOWN("N.", "None");
    SHOWN("\x88.", "True");
    SHOWN("\x89.", "False");
    SHOWN("I-12\n.", "-12");
    SHOWN("F1.5\n.", "1.5");
    SHOWN("F3\n.", "3.0");
    SHOWN("F1e300\n.", "1e+300");
    SHOWN("F0.1\n.", "0.1");
    SHOWN("Finf\n.", "inf");
    SHOWN("Fnan\n.", "nan");
    SHOWN("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", "<an integer of 9 bytes>");
}

static void test_texts_are_escaped(void **state) {
    (void)state;
    SHOWN("\x8c\x03"
          "abc.",
          "'abc'");
    SHOWN("\x8c\x00.", "''");
    SHOWN("\x8c\x04it's.", "\"it's\"");
    SHOWN("\x8c\x06'\"\\'ab.", "'\\'\"\\\\\\'ab'");
    SHOWN("\x8c\x05"
          "a\nb\x1b"
          "c.",
          "'a\\nb\\x1bc'");
    SHOWN("\x8c\x03"
          "\xe2\x80\xae.",
          "'\\u202e'");
    SHOWN("\x8c\x02\xc3\xa9.", "'\xc3\xa9'");
    SHOWN("C\x04"
          "a\x00\xff'.",
          "b\"a\\x00\\xff'\"");
    SHOWN("U\x02"
          "a\xff.",
          "'a\\xff'");
    SHOWN("\x96\x02\x00\x00\x00\x00\x00\x00\x00"
          "ab.",
          "bytearray(b'ab')");
}

static void test_containers(void **state) {
    (void)state;
    SHOWN("].", "[]");
    SHOWN(").", "()");
    SHOWN("K\x01\x85.", "(1,)");
    SHOWN("K\x01K\x02\x86.", "(1, 2)");
    SHOWN("}.", "{}");
    SHOWN("}(K\x01"
          "NK\x02]u.",
          "{1: None, 2: []}");
    SHOWN("\x8f.", "set()");
    SHOWN("\x8f(K\x01\x90.", "{1}");
    SHOWN("(\x91.", "frozenset()");
    SHOWN("(K\x01\x91.", "frozenset({1})");
    SHOWN("](K\x01K\x01\x85]e.", "[1, (1,), []]");
}

static void test_names_and_calls(void **state) {
    (void)state;
    SHOWN("cos\nsystem\n.", "os.system");
    SHOWN("cbuiltins\nexec\n.", "exec");
    SHOWN("c__builtin__\nset\n.", "set");
    SHOWN("cos\nsystem\n(S'id'\ntR.", "os.system('id')");
    SHOWN("ca\nb\n)R)R.", "a.b(...)()");
    SHOWN("ccollections\nOrderedDict\n)RS'k'\nK\x01s.", "collections.OrderedDict({'k': 1})");
    SHOWN("ca\nb\n)RK\x01"
          "a.",
          "a.b([1])");
    SHOWN("Pabc\n.", "persistent_load('abc')");
    SHOWN("\x82\x07.", "extension(7)");
    SHOWN("\x80\x05\x97.", "buffer(0)");
    /* A callee that is no name, and arguments that are no tuple. */
    SHOWN("N)R.", "<value>()");
    SHOWN("ca\nb\nca\nc\n)RR.", "a.b(*...)");
    /* A name that a call returned. */
    SHOWN("ca\nb\n)RS'x'\n\x93.", "<computed>.x");
}

static void test_values_that_hold_themselves(void **state) {
    (void)state;
    SHOWN("]q\x00h\x00"
          "a.",
          "[[[[[[[[[[[[[...]]]]]]]]]]]]]");
    SHOWN("}q\x00K\x01h\x00s.",
          "{1: {1: {1: {1: {1: {1: {1: {1: {1: {1: {1: {1: {...}}}}}}}}}}}}}");
}

/* Doubling again and again: 2^40 elements, of which the first few are shown. */
static void test_a_billion_laughs(void **state) {
    (void)state;
    char bytes[400] = "]q";
    size_t size = 3;
    for (unsigned i = 0; i < 40; i++) {
        size += (size_t)snprintf(bytes + size, sizeof bytes - size, "](h%ch%ceq%c", (char)(i + 33),
                                 (char)(i + 33), (char)(i + 34));
    }
    bytes[2] = 33;
    bytes[size++] = '.';
    judged *j = judged_new(bytes, size, NULL, 0);
    char shown[100];
    assert_int_equal(
        sft_show_value(&j->pickle.graph, &j->input, j->pickle.result, shown, sizeof shown), 99);
    assert_memory_equal(shown, "[[[[[[[[[[[[[...]", 17);
    assert_string_equal(shown + 96, "...");
    judged_free(j);
}

static void test_what_is_too_long_is_cut(void **state) {
    (void)state;
    static const char pickle[] = "](K\x01K\x02K\x03K\x04K\x05"
                                 "e.";
    expect_shown(pickle, sizeof pickle - 1, 16, "[1, 2, 3, 4,...");
    expect_shown(pickle, sizeof pickle - 1, 8, "[1, ...");
    expect_shown(pickle, sizeof pickle - 1, 3, "[1");
    expect_shown(pickle, sizeof pickle - 1, 1, "");
    assert_int_equal(sft_show_value(NULL, NULL, SFT_NO_REF, NULL, 0), 0);
}

/* Texts of more than 4,096 bytes stay in the input; only their beginning is fetched. */
static void test_long_texts(void **state) {
    (void)state;
    enum { LENGTH = 10000 };
    char *bytes = malloc(LENGTH + 6);
    assert_non_null(bytes);
    memcpy(bytes, "X\x10\x27\x00\x00", 5);
    memset(bytes + 5, 'a', LENGTH);
    bytes[LENGTH + 5] = '.';
    judged *j = judged_new(bytes, LENGTH + 6, NULL, 0);
    char shown[400];
    sft_show_value(&j->pickle.graph, &j->input, j->pickle.result, shown, sizeof shown);
    assert_int_equal(strlen(shown), 1 + 160 + 3 + 1);
    assert_memory_equal(shown, "'aaa", 4);
    assert_string_equal(shown + 161, "'...");
    sft_show_value(&j->pickle.graph, NULL, j->pickle.result, shown, sizeof shown);
    assert_string_equal(shown, "'...'");
    judged_free(j);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_names_and_calls),
        cmocka_unit_test(test_values_that_hold_themselves),
        cmocka_unit_test(test_a_billion_laughs),
        cmocka_unit_test(test_what_is_too_long_is_cut),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
