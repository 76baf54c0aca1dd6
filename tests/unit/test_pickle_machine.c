/* Stack, marks, memo, frames, calls: what each opcode does, and where a stream breaks. */
#include "fixture.h"

#include "pickles.h"

#define NEEDED "the stack is empty where a value is needed"
#define MARKED "a mark stands where a value is needed"
#define NO_MARK "a mark is needed, and none was set"

static void test_stack_and_marks(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("K\1."), "1", NULL},
        {BYTES("."), NEEDED, NULL},
        {BYTES(""), "the input ends before STOP", NULL},
        {BYTES("K\1"), "the input ends before STOP", NULL},
        {BYTES("K\1K\2."), "2", "LEFTOVER"},
        {BYTES("(K\1."), "1", "LEFTOVER"},
        {BYTES("K\1(."), MARKED, NULL},
        {BYTES("K\1K\0020."), "1", NULL},
        {BYTES("K\1(0."), "1", NULL},
        {BYTES("K\1((00."), "1", NULL},
        {BYTES("K\1(K\00200."), "1", NULL},
        {BYTES("0."), NEEDED, NULL},
        {BYTES("K\1(K\2K\0031."), "1", NULL},
        {BYTES("K\0011."), NO_MARK, NULL},
        {BYTES("K\0012\x86."), "(1, 1)", NULL},
        {BYTES("K\1(2."), MARKED, NULL},
        {BYTES("2."), NEEDED, NULL},
        {BYTES("K\1("), "the input ends before STOP", NULL},
        {BYTES("K\1(\x85."), "a tuple needs more values than there are", NULL},
        {BYTES("K\1(K\2\x86."), "a tuple needs more values than there are", NULL},
        {BYTES("K\1K\2K\3\x87."), "(1, 2, 3)", NULL},
        {BYTES("!"), "a byte stands there that is no opcode", NULL},
        {BYTES("\xff"), "a byte stands there that is no opcode", NULL},
        {BYTES("\0"), "a byte stands there that is no opcode", NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_containers(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("(K\1K\2t."), "(1, 2)", NULL},
        {BYTES("(K\1K\2l."), "[1, 2]", NULL},
        {BYTES("(K\1K\2d."), "{1: 2}", NULL},
        {BYTES("(K\1d."), "a dict has a key without a value", NULL},
        {BYTES("(t)\x86."), "((), ())", NULL},
        {BYTES("]K\1a(K\2K\3e."), "[1, 2, 3]", NULL},
        {BYTES("}K\1K\2s(K\3K\4u."), "{1: 2, 3: 4}", NULL},
        {BYTES("}(K\3u."), "a dict has a key without a value", NULL},
        {BYTES("\x8f(K\1K\2\x90."), "{1, 2}", NULL},
        {BYTES("(K\1\x91."), "frozenset({1})", NULL},
        {BYTES("](e."), "[]", NULL},
        /* Nothing to do is nothing done, on whatever. */
        {BYTES("K\1(e."), "1", NULL},
        {BYTES("K\1(u."), "1", NULL},
        {BYTES("K\1(\x90."), "1", NULL},
        {BYTES("(e."), "there is nothing that items could be added to", NULL},
        {BYTES("K\1a."), "there is nothing that items could be added to", NULL},
        {BYTES("](K\1a."), "there is nothing that items could be added to", NULL},
        {BYTES("K\1K\2s."), "there is nothing that items could be added to", NULL},
        {BYTES("}(K\1K\2s."), "there is nothing that items could be added to", NULL},
        {BYTES("]K\1e."), NO_MARK, NULL},
        /* Methods of other things run. */
        {BYTES("}K\1a."), "{}", "APPEND"},
        {BYTES("](K\1K\2u."), "[]", "SET_ITEM"},
        {BYTES("]K\0K\2s."), "[]", "SET_ITEM"},
        {BYTES("](K\1\x90."), "[]", "APPEND"},
        {BYTES("\x8fK\1a."), "set()", "APPEND"},
        {BYTES("ca\nb\nK\1a."), "a.b", "GLOBAL a.b, APPEND"},
    };
    EXPECT_PICKLES(cases);
}

static void test_memo(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("K\7q\0000h\0."), "7", NULL},
        {BYTES("K\7r\0\1\0\0000j\0\1\0\0."), "7", NULL},
        {BYTES("K\7p12\n0g12\n."), "7", NULL},
        {BYTES("K\7p 1_2 \n0g+0012\n."), "7", NULL},
        {BYTES("K\7p12\0x\n0h\014."), "7", NULL},
        /* A number beyond the size of the input is taken, and told once. */
        {BYTES("K\7p9223372036854775807\np9223372036854775806\n0g9223372036854775807\n."), "7",
         "MEMO"},
        {BYTES("K\7p9223372036854775808\n."), "the index is no number that a memo can have", NULL},
        {BYTES("K\7p-1\n."), "the index is no number that a memo can have", NULL},
        {BYTES("K\7p0x1\n."), "the index is no number that a memo can have", NULL},
        {BYTES("K\7p\n."), "the index is no number that a memo can have", NULL},
        {BYTES("K\7g-1\n."), "the index is no number that a memo can have", NULL},
        {BYTES("h\0."), "the memo has no such value", NULL},
        {BYTES("q\0."), NEEDED, NULL},
        {BYTES("K\1(q\0."), MARKED, NULL},
        /* MEMOIZE takes the number of entries for an index, even where that is in use. */
        {BYTES("K\1q\1K\2\x94\x86h\1."), "2", "LEFTOVER"},
        {BYTES("K\1q\1q\1K\2\x94\x86h\1."), "2", "LEFTOVER"},
        {BYTES("K\1q\5\x94\x94K\2\x94\x86h\2\x86."), "((1, 2), 1)", NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_values_may_be_in_themselves(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("]q\0h\0a."), NULL);
    assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(sft_graph_at(&read.pickle.graph, read.pickle.result, 0), read.pickle.result);
    assert_int_equal(sft_graph_at(&read.pickle.graph, read.pickle.result, 1), SFT_NO_REF);
    sft_pickle_free(&read.pickle);
}

static void test_calls(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("cos\nsystem\n(Vid\ntR."), "os.system('id')", "GLOBAL os.system, CALL"},
        {BYTES("\x8c\2os\x8c\6system\x93)R."), "os.system()", "GLOBAL os.system, CALL"},
        {BYTES("U\2osU\6system\x93."), "os.system", "GLOBAL os.system"},
        {BYTES("(Vid\nios\nsystem\n0N."), "None", "GLOBAL os.system, CALL"},
        {BYTES("(cos\nsystem\nVid\no1."), NO_MARK, "GLOBAL os.system, CALL"},
        {BYTES("ca\nb\n)\x81."), "a.b()", "GLOBAL a.b, CALL"},
        {BYTES("ca\nb\n)}\x92."), "a.b()", "GLOBAL a.b, CALL"},
        {BYTES("ca\nb\n)RN}\x86\x62."), "a.b()", "GLOBAL a.b, CALL, STATE"},
        {BYTES("ca\nb\n)R)R."), "a.b(...)()", "GLOBAL a.b, CALL, CALL"},
        {BYTES("ca\nb\n)R(K\1e(K\1K\2u."), "a.b({1: 2})", "GLOBAL a.b, CALL, APPEND, SET_ITEM"},
        {BYTES("Pid\n."), "persistent_load('id')", "PERSISTENT"},
        {BYTES("P\n."), "persistent_load('')", "PERSISTENT"},
        {BYTES("K\1Q."), "persistent_load(1)", "PERSISTENT"},
        {BYTES("P\xe9\n."), "a persistent id is not ASCII", NULL},
        {BYTES("\x82\1\x83\1\1\x84\1\1\1\1\x87."),
         "(extension(1), extension(257), extension(16843009))", "EXTENSION, EXTENSION, EXTENSION"},
        {BYTES("\x82\0."), "an extension code is not above zero", NULL},
        {BYTES("\x84\0\0\0\x80."), "an extension code is not above zero", NULL},
        {BYTES("\x97\x98."), "buffer(0)", "BUFFER"},
        {BYTES("C\1x\x98."), "b'x'", NULL},
        {BYTES("ca\nb\n\x98."), "a.b", "GLOBAL a.b, BUFFER"},
        {BYTES("N\x98."), "READONLY_BUFFER stands on what has no buffer", NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_names(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("c\nb\n."), "a module or a name is empty", NULL},
        {BYTES("ca\n\n."), "a module or a name is empty", NULL},
        {BYTES("ca\nb"), "the input ends within a line", NULL},
        {BYTES("c\xe9\nb\n."), "a module or a name is no text", NULL},
        {BYTES("c\xed\xa0\x80\nb\n."), "a module or a name is no text", NULL},
        {BYTES("c\xc3\xa9\nb\n."), "\xc3\xa9.b", "GLOBAL \xc3\xa9.b"},
        {BYTES("(i\xc3\xa9\nb\n."), "a module or a name is no text", NULL},
        {BYTES("ios\nsystem\n."), NO_MARK, NULL},
        {BYTES("(o."), "OBJ has no class", NULL},
        {BYTES("ca\r\nb \n."), "a\\r.b ", "GLOBAL a\r.b "},
        /* Operands of STACK_GLOBAL: what is surely no str, and what may be one. */
        {BYTES("K\1\x8c\1b\x93."), "a module or a name is no text", NULL},
        {BYTES("C\1aC\1b\x93."), "a module or a name is no text", NULL},
        {BYTES("\x8c\1b\x93."), NEEDED, NULL},
        {BYTES("\x8c\1a(\x8c\1b\x93."), MARKED, NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_computed_names_are_globals(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        sft_value_kind kind;
    } cases[] = {
        {BYTES("cos\nname\n\x8c\1b\x93."), SFT_VALUE_GLOBAL},
        {BYTES("cos\nname\n)R\x8c\1b\x93."), SFT_VALUE_OBJECT},
        {BYTES("Pa\n\x8c\1b\x93."), SFT_VALUE_PERSISTENT},
        {BYTES("\x82\1\x8c\1b\x93."), SFT_VALUE_EXTENSION},
        {BYTES("\x97\x8c\1b\x93."), SFT_VALUE_BUFFER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pickled read;
        pickled_read(&read, cases[i].bytes, cases[i].size, NULL);
        const sft_graph *graph = &read.pickle.graph;
        assert_int_equal(read.pickle.end, SFT_PICKLE_STOPPED);
        assert_int_equal(sft_graph_kind(graph, read.pickle.result), SFT_VALUE_GLOBAL);
        const sft_global *global = &sft_graph_value(graph, read.pickle.result)->global;
        assert_int_equal(sft_graph_kind(graph, global->module), cases[i].kind);
        sft_pair pair;
        assert_false(sft_graph_pair(graph, read.pickle.result, &pair));
        sft_pickle_free(&read.pickle);
    }
}

/* Operands of no use: CPython raises, others may not; what would be called is recorded. */
static void test_wrong_operands_are_recorded(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES("K\1)R0N."), "None", "CALL"},
        {BYTES("ca\nb\n]R0N."), "None", "GLOBAL a.b, CALL"},
        {BYTES("K\1]\x81"), "the input ends before STOP", "CALL"},
        {BYTES("K\1]N\x92"), "the input ends before STOP", "CALL"},
        {BYTES("N}b."), "None", "STATE"},
        {BYTES("N(b."), "BUILD needs an object and a state", NULL},
        {BYTES("Nb."), "BUILD needs an object and a state", NULL},
        {BYTES("NR."), NEEDED, NULL},
        {BYTES("N)\x92."), NEEDED, NULL},
    };
    EXPECT_PICKLES(cases);
}

static void test_objects_keep_what_is_done_to_them(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("ca\nb\n(K\1tR}b(K\5K\6eK\7a(K\1K\2K\3K\4uNb."), NULL);
    const sft_graph *graph = &read.pickle.graph;
    const sft_object *object = sft_graph_object(graph, read.pickle.result);
    assert_int_equal(object->call, SFT_CALL_REDUCE);
    assert_int_equal(sft_graph_kind(graph, object->callee), SFT_VALUE_GLOBAL);
    assert_int_equal(sft_graph_value(graph, object->arguments)->count, 1);
    assert_int_equal(object->keywords, SFT_NO_REF);
    assert_int_equal(object->state_count, 2);
    assert_int_equal(object->appended_count, 3);
    assert_int_equal(object->set_count, 4);
    uint32_t link = object->appended.first;
    for (int64_t i = 5; i <= 7; i++) {
        assert_int_equal(sft_graph_value(graph, sft_graph_item(graph, &link))->integer, i);
    }
    assert_int_equal(link, 0);
    const sft_effect *state_set = &graph->effects[2];
    assert_int_equal(state_set->kind, SFT_EFFECT_STATE);
    assert_int_equal(state_set->subject, read.pickle.result);
    assert_int_equal(sft_graph_kind(graph, state_set->argument), SFT_VALUE_DICT);
    sft_pickle_free(&read.pickle);
}

static void test_protocols(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("\x80\4\x80\2N."), NULL);
    assert_true(read.pickle.begins_with_proto);
    assert_int_equal(read.pickle.protocol, 4);
    sft_pickle_free(&read.pickle);
    pickled_read(&read, BYTES("N\x80\2."), NULL);
    assert_false(read.pickle.begins_with_proto);
    assert_int_equal(read.pickle.protocol, 2);
    sft_pickle_free(&read.pickle);
    static const pickle_case cases[] = {
        {BYTES("\x80\5N."), "None", NULL},
        {BYTES("\x80\6N."), "it names a protocol above 5", NULL},
        {BYTES("\x80"), "the input ends within an opcode", NULL},
    };
    EXPECT_PICKLES(cases);
}

#define FRAME(length) "\x95" length "\0\0\0\0\0\0\0"

static void test_frames(void **state) {
    (void)state;
    static const pickle_case cases[] = {
        {BYTES(FRAME("\2") "N."), "None", NULL},
        {BYTES(FRAME("\0") "N."), "None", NULL},
        {BYTES(FRAME("\1") "N" FRAME("\1") "."), "None", NULL},
        {BYTES(FRAME("\3") "N."), "a frame reaches beyond the end of the input", NULL},
        {BYTES("\x95\0\0\0\0\0\0\0\x80N."), "a frame reaches beyond the end of the input", NULL},
        {BYTES("\x95\xff\xff\xff\xff\xff\xff\xff\xffN."),
         "a frame reaches beyond the end of the input", NULL},
        /* An argument, a length, a line, a text that cross its end. */
        {BYTES(FRAME("\1") "K\1."), "1", "STRADDLED"},
        {BYTES(FRAME("\2") "\x8c\2ab."), "'ab'", "STRADDLED"},
        {BYTES(FRAME("\3") "\x8c\2ab."), "'ab'", "STRADDLED"},
        {BYTES(FRAME("\3") "B\1\0\0\0x."), "b'x'", "STRADDLED"},
        {BYTES(FRAME("\2") "I12\n."), "12", "STRADDLED"},
        {BYTES(FRAME("\3") "I12\n."), "12", "STRADDLED"},
        {BYTES(FRAME("\4") "I12\n."), "12", NULL},
        {BYTES(FRAME("\2") "I12"), "the input ends within a line", "STRADDLED"},
        {BYTES(FRAME("\2") "\x8c\xff."), "the input ends within an opcode", "STRADDLED"},
        {BYTES(FRAME("\4") "ca\nb\n."), "a.b", "STRADDLED, GLOBAL a.b"},
        /* Frames within each other. */
        {BYTES(FRAME("\x0b") FRAME("\2") "N."), "None", "STRADDLED"},
        {BYTES(FRAME("\x09") FRAME("\2") "N."), "None", "STRADDLED"},
        {BYTES(FRAME("\x05") FRAME("\2") "N."), "None", "STRADDLED"},
        /* STOP before its end. */
        {BYTES(FRAME("\3") "N.N."), "None", "STRADDLED"},
    };
    EXPECT_PICKLES(cases);
}

static void test_ends_are_told(void **state) {
    (void)state;
    pickled read;
    pickled_read(&read, BYTES("K\1\x8c\5ab"), NULL);
    assert_int_equal(read.pickle.end, SFT_PICKLE_BROKEN);
    assert_int_equal(read.pickle.position, 2);
    assert_int_equal(read.pickle.opcode, 0x8c);
    sft_pickle_free(&read.pickle);
    pickled_read(&read, BYTES("cos\nsystem\n)R!"), NULL);
    assert_int_equal(read.pickle.position, 13);
    assert_int_equal(read.pickle.opcode, '!');
    assert_string_equal(pickled_effects(&read), "GLOBAL os.system, CALL");
    sft_pickle_free(&read.pickle);
    pickled_read(&read, BYTES("N.N."), NULL);
    assert_int_equal(read.pickle.position, 2);
    sft_pickle_free(&read.pickle);
    assert_string_equal(sft_opcode_name('R'), "REDUCE");
    assert_string_equal(sft_opcode_name(0x98), "READONLY_BUFFER");
    assert_null(sft_opcode_name('!'));
    assert_null(sft_opcode_name(0xff));
}

/* A pickle behind another one, and beyond the end. */
static void test_pickles_begin_anywhere(void **state) {
    (void)state;
    check_input input = {(const unsigned char *)"N.K\1.", 5, 2, false};
    const sft_pickle_input given = check_input_of(&input);
    sft_pickle pickle;
    assert_ok(sft_pickle_read(&pickle, &given, 2, NULL, NULL));
    assert_int_equal(pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(pickle.start, 2);
    assert_int_equal(pickle.position, 5);
    assert_int_equal(sft_graph_value(&pickle.graph, pickle.result)->at, 2);
    sft_pickle_free(&pickle);
    for (uint64_t start = 5; start <= 6; start++) {
        input.next = 0;
        assert_ok(sft_pickle_read(&pickle, &given, start, NULL, NULL));
        assert_int_equal(pickle.end, SFT_PICKLE_BROKEN);
        sft_pickle_free(&pickle);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stack_and_marks),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_memo),
        cmocka_unit_test(test_values_may_be_in_themselves),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_computed_names_are_globals),
        cmocka_unit_test(test_wrong_operands_are_recorded),
        cmocka_unit_test(test_objects_keep_what_is_done_to_them),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_ends_are_told),
        cmocka_unit_test(test_pickles_begin_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
