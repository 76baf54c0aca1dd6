/* What names are to us: the tables themselves, and the answers about single names. */
#include "fixture.h"

#include "pickle/policy.h"

static const sft_policy_table *const tables[] = {&sft_policy_names, &sft_policy_records,
                                                 &sft_policy_dangers};

static void test_tables_are_in_order(void **state) {
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        assert_true(tables[t]->count > 200);
        for (size_t i = 1; i < tables[t]->count; i++) {
            const sft_policy_entry *before = &tables[t]->rows[i - 1];
            const sft_policy_entry *row = &tables[t]->rows[i];
            if (sft_policy_order(before, row) >= 0) {
                fail_msg("%s.%s does not belong before %s.%s", before->module,
                         before->name != NULL ? before->name : "", row->module,
                         row->name != NULL ? row->name : "");
            }
        }
    }
}

static void expect_row(const sft_policy_entry *row, sft_policy_class class) {
    assert_int_equal(row->class, class);
    assert_true(strlen(row->module) > 0);
    /* Modules with longer names are not looked for. */
    assert_true(strlen(row->module) <= 64 || row->class != SFT_POLICY_DANGEROUS);
    assert_true(row->why[0] >= 'a' && row->why[0] <= 'z');
    assert_true(row->why[strlen(row->why) - 1] != '.');
    if (row->name == NULL) {
        assert_int_equal(class, SFT_POLICY_DANGEROUS);
        return;
    }
    /* A name with a dot could never be met: it is looked up step by step. */
    assert_null(strchr(row->name, '.'));
    assert_true(strlen(row->name) > 0);
}

static void test_rows_are_whole(void **state) {
    (void)state;
    static const sft_policy_class classes[] = {SFT_POLICY_ALLOWED, SFT_POLICY_INERT,
                                               SFT_POLICY_DANGEROUS};
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            expect_row(&tables[t]->rows[i], classes[t]);
        }
    }
}

static sft_policy_answer ask(const char *module, const char *name) {
    sft_pair pair = {module, strlen(module), name, strlen(name)};
    return sft_policy_ask(NULL, &pair);
}

/* Every row is found under its name, and no pair is both allowed and inert. */
static void test_every_row_is_found(void **state) {
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const sft_policy_entry *row = &tables[t]->rows[i];
            sft_policy_answer answer = ask(row->module, row->name != NULL ? row->name : "any");
            if (answer.class != row->class) {
                fail_msg("%s.%s is %d, not %d", row->module, row->name != NULL ? row->name : "any",
                         (int)answer.class, (int)row->class);
            }
            if (t < 2) {
                assert_ptr_equal(answer.entry, row);
            }
        }
    }
}

typedef struct question {
    const char *module;
    const char *name;
    sft_policy_class class;
    bool dotted;
} question;

static void test_answers(void **state) {
    (void)state;
    static const question questions[] = {
        {"torch._utils", "_rebuild_tensor_v2", SFT_POLICY_ALLOWED, false},
        {"torch", "FloatStorage", SFT_POLICY_ALLOWED, false},
        {"torch.cuda", "HalfTensor", SFT_POLICY_ALLOWED, false},
        {"collections", "OrderedDict", SFT_POLICY_ALLOWED, false},
        {"numpy._core.multiarray", "_reconstruct", SFT_POLICY_ALLOWED, false},
        {"builtins", "set", SFT_POLICY_ALLOWED, false},
        {"__builtin__", "set", SFT_POLICY_ALLOWED, false},
        {"copy_reg", "_reconstructor", SFT_POLICY_ALLOWED, false},
        {"argparse", "Namespace", SFT_POLICY_INERT, false},
        {"pathlib._local", "PosixPath", SFT_POLICY_INERT, false},
        {"signal", "Signals", SFT_POLICY_INERT, false},
        {"joblib.numpy_pickle", "NumpyArrayWrapper", SFT_POLICY_INERT, false},
        {"os", "system", SFT_POLICY_DANGEROUS, false},
        {"os", "no such name", SFT_POLICY_DANGEROUS, false},
        {"os.path", "join", SFT_POLICY_DANGEROUS, false},
        {"builtins", "exec", SFT_POLICY_DANGEROUS, false},
        {"pip", "main", SFT_POLICY_DANGEROUS, false},
        {"pip._internal.cli.main", "main", SFT_POLICY_DANGEROUS, false},
        {"joblib", "load", SFT_POLICY_DANGEROUS, false},
        {"joblib.numpy_pickle", "load", SFT_POLICY_DANGEROUS, false},
        {"signal", "raise_signal", SFT_POLICY_DANGEROUS, false},
        {"operator", "methodcaller", SFT_POLICY_DANGEROUS, false},
        {"numpy", "__builtins__", SFT_POLICY_DANGEROUS, false},
        {"collections", "namedtuple", SFT_POLICY_DANGEROUS, false},
        {"osx", "system", SFT_POLICY_UNKNOWN, false},
        {"ospath", "x", SFT_POLICY_UNKNOWN, false},
        {"collections", "ordereddict", SFT_POLICY_UNKNOWN, false},
        {"collections", "OrderedDict ", SFT_POLICY_UNKNOWN, false},
        {"torch", "_utils", SFT_POLICY_UNKNOWN, false},
        {"my_module", "Model", SFT_POLICY_UNKNOWN, false},
        {"", "", SFT_POLICY_UNKNOWN, false},
        /* Dotted: never better than unknown. */
        {"collections", "OrderedDict.fromkeys", SFT_POLICY_UNKNOWN, true},
        {"torch._utils", "_rebuild_tensor_v2.x", SFT_POLICY_UNKNOWN, true},
        {"numpy", "lib.os.system", SFT_POLICY_DANGEROUS, true},
        {"x", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.os.system", SFT_POLICY_DANGEROUS, true},
        {"x", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.os.system", SFT_POLICY_UNKNOWN, true},
        {"os.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "x",
         SFT_POLICY_DANGEROUS, false},
        {"torch", "os.system", SFT_POLICY_DANGEROUS, true},
        {"collections", "OrderedDict.__init__.__globals__", SFT_POLICY_DANGEROUS, true},
        {"builtins", "set.add", SFT_POLICY_DANGEROUS, true},
        {"torch", "load.x", SFT_POLICY_DANGEROUS, true},
        {"my_module", ".", SFT_POLICY_UNKNOWN, true},
        /* Spelled as Python 2 had it: the worse of both readings. */
        {"commands", "getoutput", SFT_POLICY_DANGEROUS, false},
        {"cPickle", "loads", SFT_POLICY_DANGEROUS, false},
        {"itertools", "imap", SFT_POLICY_DANGEROUS, false},
        {"__builtin__", "reduce", SFT_POLICY_DANGEROUS, false},
        {"__builtin__", "xrange", SFT_POLICY_ALLOWED, false},
        {"__builtin__", "unicode", SFT_POLICY_ALLOWED, false},
        {"urllib", "urlopen", SFT_POLICY_DANGEROUS, false},
        {"UserDict", "UserDict", SFT_POLICY_UNKNOWN, false},
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        const question *q = &questions[i];
        sft_policy_answer answer = ask(q->module, q->name);
        if (answer.class != q->class || answer.dotted != q->dotted) {
            fail_msg("%s.%s: class %d, dotted %d", q->module, q->name, (int)answer.class,
                     (int)answer.dotted);
        }
    }
}

/* Whatever lies in what the modules of that list hold is dangerous, but for the exact exceptions.
 */
static void test_modules_that_are_always_dangerous(void **state) {
    (void)state;
    static const char *const modules[] = {
        "builtins",  "__builtin__", "os",      "posix",      "nt",           "subprocess",
        "commands",  "popen2",      "sys",     "socket",     "shutil",       "runpy",
        "pty",       "importlib",   "imp",     "pip",        "pydoc",        "timeit",
        "profile",   "cProfile",    "pdb",     "bdb",        "code",         "webbrowser",
        "ctypes",    "_ctypes",     "marshal", "pickle",     "_pickle",      "cloudpickle",
        "dill",      "joblib",      "asyncio", "numpy.f2py", "venv",         "torch.jit",
        "torch.hub", "ensurepip",   "trace",   "linecache",  "torch.package"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        char inner[64];
        snprintf(inner, sizeof inner, "%s.inner.most", modules[i]);
        assert_int_equal(ask(modules[i], "anything").class, SFT_POLICY_DANGEROUS);
        assert_int_equal(ask(inner, "anything").class, SFT_POLICY_DANGEROUS);
    }
}

static void test_pairs_that_the_caller_vouches_for(void **state) {
    (void)state;
    static const sft_pair inert[] = {
        {"my_module", 9, "Model", 5}, {"os", 2, "system", 6}, {"my_module", 9, "Model.load", 10}};
    const sft_policy policy = {inert, 3};
    sft_pair pair = {"my_module", 9, "Model", 5};
    sft_policy_answer answer = sft_policy_ask(&policy, &pair);
    assert_int_equal(answer.class, SFT_POLICY_INERT);
    assert_null(answer.entry);
    assert_int_equal(sft_policy_ask(&policy, &inert[1]).class, SFT_POLICY_DANGEROUS);
    assert_int_equal(sft_policy_ask(&policy, &inert[2]).class, SFT_POLICY_UNKNOWN);
    pair.name_length = 4;
    assert_int_equal(sft_policy_ask(&policy, &pair).class, SFT_POLICY_UNKNOWN);
}

static void expect_moved(const char *module, const char *name, const char *to_module,
                         const char *to_name) {
    sft_pair pair = {module, strlen(module), name, strlen(name)};
    sft_pair mapped;
    assert_int_equal(sft_python2_name(&pair, &mapped), to_module != NULL);
    to_module = to_module != NULL ? to_module : module;
    to_name = to_name != NULL ? to_name : name;
    assert_int_equal(mapped.module_length, strlen(to_module));
    assert_memory_equal(mapped.module, to_module, mapped.module_length);
    assert_int_equal(mapped.name_length, strlen(to_name));
    assert_memory_equal(mapped.name, to_name, mapped.name_length);
}

static void test_names_of_python_2(void **state) {
    (void)state;
    expect_moved("__builtin__", "set", "builtins", NULL);
    expect_moved("__builtin__", "long", "builtins", "int");
    expect_moved("copy_reg", "_reconstructor", "copyreg", NULL);
    expect_moved("exceptions", "StandardError", "builtins", "Exception");
    expect_moved("exceptions", "ValueError", "builtins", NULL);
    expect_moved("exceptions", "NoSuchError", NULL, NULL);
    expect_moved("urllib", "urlopen", "urllib.request", NULL);
    expect_moved("urllib", "other", NULL, NULL);
    expect_moved("whichdb", "whichdb", "dbm", NULL);
    expect_moved("whichdb", "other", "dbm", NULL);
    expect_moved("collections", "OrderedDict", NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_in_order),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_modules_that_are_always_dangerous),
        cmocka_unit_test(test_pairs_that_the_caller_vouches_for),
        cmocka_unit_test(test_names_of_python_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
