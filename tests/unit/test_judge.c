/* From effects to judgements: what is clean says nothing, all else says what would happen. */
#include "fixture.h"

#include "judged.h"

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("ctorch\nFloatStorage\n."),
        CLEAN("cargparse\nNamespace\n."),
        CLEAN("c__builtin__\nset\n."),
        CASE("cos\nsystem\n.", "DANGEROUS_GLOBAL", "os.system, which runs a shell command", NULL),
        CASE("cos\nlistdir\n.", "DANGEROUS_GLOBAL", "; the module os starts programs", NULL),
        CASE("cos.path\njoin\n.", "DANGEROUS_GLOBAL", "the module os", NULL),
        CASE("cfoo\nbar\n.", "UNKNOWN_GLOBAL", "imports and looks up foo.bar", NULL),
        /* Popped, and the stream broken afterwards: it was looked up all the same. */
        CASE("cos\nsystem\n0N.", "DANGEROUS_GLOBAL", NULL, NULL),
        CASE("cos\nsystem\n\xff\xff", "DANGEROUS_GLOBAL", NULL, NULL),
        CASE("cos\nsystem\n", "DANGEROUS_GLOBAL", NULL, NULL),
    };
    EXPECT(cases);
}

static void test_dotted_and_computed_names(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CASE("\x80\x04\x8c\x05numpy\x8c\x06"
             "f2py.x\x93.",
             "DOTTED_NAME", "numpy.f2py.x", NULL),
        CASE("\x80\x04\x8c\x0b"
             "collections\x8c\x0dOrderedDict.x\x93.",
             "DOTTED_NAME", "reaches through", NULL),
        CASE("\x80\x04\x8c\x05torch\x8c\x09os.system\x93.", "DOTTED_NAME", "the module os", NULL),
        CASE("\x80\x04\x8c\x05torch\x8c\x0dx.__globals__\x93.", "DOTTED_NAME",
             "leads from any module", NULL),
        CASE("\x80\x04"
             "cbuiltins\nstr\n)R\x8c\x03set\x93.",
             "COMPUTED_NAME", "put together", NULL),
        CASE("\x80\x04\x8c\x02os"
             "cbuiltins\nstr\n)R\x93.",
             "COMPUTED_NAME", "the module os", NULL),
    };
    EXPECT(cases);
}

/* ---- calls ---- */

static void test_calls(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CASE("cos\nsystem\n(S'id'\ntR.", "DANGEROUS_GLOBAL DANGEROUS_CALL",
             "loading calls os.system('id'), which runs a shell command", "os.system('id')"),
        CASE("cbuiltins\nexec\n(S'x'\ntR.", "DANGEROUS_GLOBAL DANGEROUS_CALL", "runs a text",
             "exec('x')"),
        /* INST and OBJ, result popped. */
        CASE("(S'id'\nios\nsystem\n0N.", "DANGEROUS_GLOBAL DANGEROUS_CALL", NULL,
             "os.system('id')"),
        CASE("(cos\nsystem\nS'id'\no0N.", "DANGEROUS_GLOBAL DANGEROUS_CALL", NULL,
             "os.system('id')"),
        CASE("cfoo\nBar\nK\x01\x85R.", "UNKNOWN_GLOBAL UNKNOWN_CALL", "not on the list",
             "foo.Bar(1)"),
        CASE("cfoo\nBar\n)\x81.", "UNKNOWN_GLOBAL UNKNOWN_CALL", NULL, "foo.Bar()"),
        /* What a call returned is called. */
        CASE("ccollections\nOrderedDict\n)R)R.", "UNKNOWN_CALL", "nobody can tell what runs",
             "collections.OrderedDict(...)()"),
        CASE("cbuiltins\ngetattr\n(cos\npath\nS'x'\ntR)R.",
             "DANGEROUS_GLOBAL DANGEROUS_GLOBAL DANGEROUS_CALL DANGEROUS_CALL",
             "a result of builtins.getattr", "getattr(...)()"),
        CASE("N)R.", "UNKNOWN_CALL", "nobody can tell", NULL),
        CASE("ctorch\nfloat32\n)R.", "UNKNOWN_CALL", "named and not called", NULL),
        CASE("ctyping\nAny\n)R.", "UNKNOWN_CALL", "named and not called", NULL),
        CASE("cfoo\nbar\n)}\x92.", "UNKNOWN_GLOBAL UNKNOWN_CALL", NULL, NULL),
    };
    EXPECT(cases);
}

static void test_instances(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("cargparse\nNamespace\n)\x81}S'lr'\nK\x01sb."),
        CLEAN("ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR}b."),
        CLEAN("(iargparse\nNamespace\n}b."),
        CASE("cargparse\nNamespace\n)R.", "ARGUMENT", "__init__", NULL),
        CASE("cargparse\nNamespace\nK\x01\x85\x81.", "ARGUMENT", NULL, NULL),
        CASE("ctransformers.training_args\nTrainingArguments\nS'x'\n\x85R.", "ARGUMENT", "__init__",
             NULL),
        CASE("ccopyreg\n_reconstructor\n(cfoo\nBar\ncbuiltins\nobject\nNtR.",
             "UNKNOWN_GLOBAL ARGUMENT", "not on the list", NULL),
        CASE("ccopyreg\n_reconstructor\n(cargparse\nNamespace\ncbuiltins\nlist\nNtR.", "ARGUMENT",
             "base class", NULL),
        CASE("ccopyreg\n_reconstructor\n(cargparse\nNamespace\ncbuiltins\nobject\nK\x01tR.",
             "ARGUMENT", NULL, NULL),
        CASE("ccopyreg\n_reconstructor\n(cos\nsystem\ncbuiltins\nobject\nNtRS'id'\nb.",
             "DANGEROUS_GLOBAL ARGUMENT STATE_SET", NULL, NULL),
    };
    EXPECT(cases);
}

/* ---- states ---- */

static void test_states(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("ccollections\nOrderedDict\n)R}S'_metadata'\n}sb."),
        CLEAN("cargparse\nNamespace\n)\x81}N\x86"
              "b."),
        CASE("cargparse\nNamespace\n)\x81NR}b.", "UNKNOWN_CALL STATE_SET", NULL, NULL),
        CASE("cbuiltins\nset\n)R}b.", "STATE_SET", "method that nobody", NULL),
        CASE("cfoo\nBar\n)\x81}b.", "UNKNOWN_GLOBAL UNKNOWN_CALL STATE_SET", NULL, NULL),
        CASE("ctorch\nTensor\n}b.", "STATE_SET", "changes torch.Tensor itself", NULL),
        CASE("cnumpy\n__builtins__\n}S'x'\nK\x01sb.", "DANGEROUS_GLOBAL STATE_SET", "itself", NULL),
        CASE("}}b.", "STATE_SET", "a plain value", NULL),
        CASE("(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nK\x01tQ}b.", "STATE_SET",
             "what the loader gave", NULL),
        /* The first state would make the second one a call. */
        CASE("cargparse\nNamespace\n)\x81}S'__setstate__'\nctorch.storage\n_load_from_bytes\nsb"
             "C\x01xb.",
             "STATE_SET STATE_SET", NULL, NULL),
        CASE("cargparse\nNamespace\n)\x81}cbuiltins\nstr\n)RNsb.", "STATE_SET", "computed", NULL),
        CASE("cargparse\nNamespace\n)\x81"
             "ccollections\nOrderedDict\n)Rb.",
             "STATE_SET", "plain dictionary", NULL),
        CASE("cargparse\nNamespace\n)\x81N}S'x'\nNs\x86"
             "b.",
             "STATE_SET", "methods of its class", NULL),
        /* It looks for methods among its items. */
        CASE("clightning.fabric.utilities.data\nAttributeDict\n)\x81S'__setstate__'\nNs}b.",
             "STATE_SET", NULL, NULL),
    };
    EXPECT(cases);
}

static void test_items(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("ccollections\nCounter\n)RS'a'\nK\x01s."),
        CLEAN("ccollections\ndefaultdict\n)R(S'a'\nK\x01u."),
        CLEAN("ccollections\ndeque\n)R(K\x01K\x02"
              "e."),
        CLEAN("cbuiltins\nset\n)R(K\x01\x90."),
        CASE("]K\x00K\x01s.", "ITEM_SET", "sets items of a plain value", NULL),
        CASE("cbuiltins\nlist\n)RK\x00K\x01s.", "ITEM_SET", "method that nobody", NULL),
        CASE("ctorch\nTensor\nK\x00K\x01s.", "ITEM_SET", "itself", NULL),
        CASE("cos\nenviron\nS'x'\nS'y'\ns.", "DANGEROUS_GLOBAL ITEM_SET", "changes os.environ",
             NULL),
        CASE("ccollections\nOrderedDict\n)RK\x01"
             "a.",
             "ITEM_APPENDED", NULL, NULL),
        CASE("}K\x01"
             "a.",
             "ITEM_APPENDED", NULL, NULL),
        CASE("cbuiltins\nlist\n)R(K\x01\x90.", "ITEM_APPENDED", NULL, NULL),
    };
    EXPECT(cases);
}

/* ---- what is asked of the loader, and the stream itself ---- */

static void test_the_loader(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nK\x01tQ."),
        CLEAN("(S'storage'\nctorch.storage\nUntypedStorage\nS'0'\nS'cpu'\nK\x01tQ."),
        CLEAN("P12345\n."),
        CLEAN("K\x07Q."),
        CASE("Pabc\n.", "PERSISTENT_ID", "no storage", "persistent_load('abc')"),
        CASE("(S'module'\ncfoo\nNet\nS'net.py'\nS'source'\ntQ.", "UNKNOWN_GLOBAL PERSISTENT_ID",
             "source of a class", NULL),
        CASE("(S'storage'\ncfoo\nBar\nS'0'\ntQ.", "UNKNOWN_GLOBAL PERSISTENT_ID", NULL, NULL),
        CASE("(S'storage'\ntQ.", "PERSISTENT_ID", NULL, NULL),
        CASE("K\xff\x8a\x01\xffQ0N.", "PERSISTENT_ID STACK_LEFTOVER", NULL, NULL),
        CASE("\x82\x01.", "EXTENSION_CODE", "extension code 1", NULL),
        CASE("\x82\x01)R.", "EXTENSION_CODE UNKNOWN_CALL", NULL, NULL),
        CASE("\x80\x05\x97.", "BUFFER", NULL, NULL),
        CASE("K\x01K\x02.", "STACK_LEFTOVER", NULL, NULL),
        CASE("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00M\x01\x02.", "FRAME_STRADDLED", NULL,
             NULL),
    };
    EXPECT(cases);
}

/* ---- what is handed on ---- */

static void expect_handed(const char *bytes, size_t size, const char *wanted) {
    judged *j = judged_new(bytes, size, NULL, 0);
    assert_string_equal(j->handed, wanted);
    judged_free(j);
}

#define HANDED(bytes, wanted) expect_handed(bytes, sizeof(bytes) - 1, wanted)

static void test_texts_that_are_handed_on(void **state) {
    (void)state;
    HANDED("ctorch.storage\n_load_from_bytes\nC\x03"
           "abc\x85R.",
           "!b'abc'");
    HANDED("ctorch.storage\n_load_from_bytes\nc_codecs\nencode\nX\x01\x00\x00\x00"
           "aX\x06\x00\x00\x00latin1\x86R\x85R.",
           "!_codecs.encode('a', 'latin1')");
    HANDED("cpickle\nloads\nC\x03"
           "abc\x85R.",
           "b'abc'");
    HANDED("cfoo\nbar\n(](C\x01"
           "aC\x01"
           "beC\x01"
           "ctR.",
           "b'c'; b'b'; b'a'");
    /* The same text is handed on once for each kind of call. */
    HANDED("cfoo\nbar\nC\x01"
           "a\x85q\x00R0cfoo\nbar\nh\x00R0ctorch.storage\n_load_from_bytes\n"
           "h\x00R.",
           "b'a'; !b'a'");
    HANDED("ccollections\nOrderedDict\n](]C\x01"
           "aaC\x01"
           "b\x86"
           "e\x85R.",
           "");
}

static void test_bytes_of_values(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool known;
        bool latin1;
    } cases[] = {
#define BYTES(bytes, known, latin1) {bytes, sizeof(bytes) - 1, known, latin1}
        BYTES("C\x01"
              "a.",
              true, false),
        BYTES("S'a'\n.", true, false),
        BYTES("\x96\x01\x00\x00\x00\x00\x00\x00\x00"
              "a.",
              true, false),
        BYTES("X\x01\x00\x00\x00"
              "a.",
              false, false),
        BYTES("c_codecs\nencode\nX\x01\x00\x00\x00"
              "aX\x06\x00\x00\x00latin1\x86R.",
              true, true),
        BYTES("c_codecs\nencode\nX\x01\x00\x00\x00"
              "aX\x03\x00\x00\x00hex\x86R.",
              false, true),
        BYTES("c_codecs\nencode\nS'a'\nS'latin-1'\n\x86R.", true, false),
        BYTES("cbuiltins\nbytes\ncbuiltins\nbytearray\nC\x01"
              "a\x85R\x85R.",
              true, false),
        BYTES("cbuiltins\nbytearray\nK\x01\x85R.", false, false),
        BYTES("cbuiltins\nbytes\n)R.", false, false),
        BYTES("cfoo\nbar\nC\x01"
              "a\x85R.",
              false, false),
#undef BYTES
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        judged *j = judged_new(cases[i].bytes, cases[i].size, NULL, 0);
        sft_ref text;
        bool latin1;
        bool known = sft_bytes_of(&j->pickle.graph, j->pickle.result, &text, &latin1);
        if (known != cases[i].known || (known && latin1 != cases[i].latin1)) {
            fail_msg("case %zu", i);
        }
        if (known) {
            const sft_long_text *bytes = sft_graph_text(&j->pickle.graph, text);
            assert_int_equal(bytes->length, 1);
            assert_memory_equal(bytes->text.bytes, "a", 1);
        }
        judged_free(j);
    }
}

/* ---- the caller ---- */

static void test_what_the_caller_vouches_for(void **state) {
    (void)state;
    static const sft_pair inert[] = {{"foo", 3, "Bar", 3}, {"os", 2, "system", 6}};
    const sft_policy policy = {inert, 2};
    static const char fine[] = "cfoo\nBar\nK\x01\x85R}S'x'\nNsb(K\x01K\x02u.";
    judged *j = judged_new(fine, sizeof fine - 1, &policy, 0);
    assert_string_equal(j->codes, "");
    judged_free(j);
    static const char dangerous[] = "cos\nsystem\nS'id'\n\x85R.";
    j = judged_new(dangerous, sizeof dangerous - 1, &policy, 0);
    assert_string_equal(j->codes, "DANGEROUS_GLOBAL DANGEROUS_CALL");
    assert_int_equal(j->worst, SFT_SEVERITY_DANGEROUS);
    assert_string_equal(j->global, "os.system");
    judged_free(j);
}

static void test_the_caller_may_stop(void **state) {
    (void)state;
    static const char many[] = "cos\nsystem\nS'id'\n\x85R0cos\nsystem\n.";
    judged *j = judged_new(many, sizeof many - 1, NULL, 1);
    assert_int_equal(j->count, 1);
    assert_string_equal(j->handed, "");
    judged_free(j);
}

/* Names from outside reach a terminal only escaped, and a sentence has a bounded length. */
static void test_names_are_escaped(void **state) {
    (void)state;
    static const char pickle[] = "ca\x1b[31m\nb\nS'\\x1b]0;x'\n\x85R.";
    judged *j = judged_new(pickle, sizeof pickle - 1, NULL, 0);
    assert_null(strchr(j->detail, 0x1b));
    assert_non_null(strstr(j->detail, "a\\x1b[31m.b("));
    judged_free(j);
    char *bytes = malloc(6010);
    assert_non_null(bytes);
    memset(bytes, 'n', 6010);
    bytes[0] = 'c';
    bytes[3000] = '\n';
    bytes[6000] = '\n';
    bytes[6001] = ')';
    bytes[6002] = 'R';
    bytes[6003] = '.';
    j = judged_new(bytes, 6004, NULL, 0);
    assert_string_equal(j->codes, "UNKNOWN_GLOBAL UNKNOWN_CALL");
    assert_true(strlen(j->detail) < 700);
    judged_free(j);
    free(bytes);
}

/* ---- memory ---- */

/* Gives so many times, then no more; `held` is what was not given back. */
typedef struct miser {
    unsigned left;
    size_t held;
} miser;

static void *miser_allocate(void *context, size_t size) {
    miser *m = context;
    if (m->left == 0) {
        return NULL;
    }
    m->left--;
    m->held += size;
    return malloc(size);
}

static void *miser_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    miser *m = context;
    if (m->left == 0) {
        return NULL;
    }
    m->left--;
    m->held += new_size - old_size;
    return realloc(memory, new_size);
}

static void miser_release(void *context, void *memory, size_t size) {
    miser *m = context;
    m->held -= memory != NULL ? size : 0;
    free(memory);
}

static void test_no_memory(void **state) {
    (void)state;
    static const char pickle[] = "cfoo\nbar\n(](C\x01"
                                 "aC\x01"
                                 "beC\x01"
                                 "ctR.";
    judged *j = judged_new(pickle, sizeof pickle - 1, NULL, 0);
    sft_status status = SFT_NO_MEMORY;
    unsigned given = 0;
    for (; status != SFT_OK; given++) {
        miser m = {given, 0};
        const sft_allocator allocator = {&m, miser_allocate, miser_reallocate, miser_release};
        sft_judge judge = {.input = &j->input,
                           .input_size = sizeof pickle - 1,
                           .context = j,
                           .found = judged_found,
                           .handed = judged_handed,
                           .allocator = &allocator};
        status = sft_judge_pickle(&j->pickle, &judge, NULL);
        assert_true(status == SFT_OK || status == SFT_NO_MEMORY);
        assert_int_equal(m.held, 0);
    }
    assert_true(given > 2);
    judged_free(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_dotted_and_computed_names),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_the_loader),
        cmocka_unit_test(test_texts_that_are_handed_on),
        cmocka_unit_test(test_bytes_of_values),
        cmocka_unit_test(test_what_the_caller_vouches_for),
        cmocka_unit_test(test_the_caller_may_stop),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
