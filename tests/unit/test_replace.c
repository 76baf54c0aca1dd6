/* A new file in the place of an old one: modes, links, names. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "saves.h"

/* ---- modes and owners ---- */

static void new_files_obey_the_umask(void **state) {
    (void)state;
    const mode_t masks[] = {0, 002, 022, 027, 077};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        umask(masks[i]);
        save(scratch("new"), "x");
        assert_int_equal(scratch_mode("new"), 0666 & ~masks[i]);
        assert_int_equal(unlink(scratch("new")), 0);
    }
}

static void replaced_files_keep_their_mode(void **state) {
    (void)state;
    const mode_t modes[] = {0600, 0644, 0664, 0666, 0444, 0400, 0755, 0777, 04755, 02750};
    umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        scratch_store("old", "old", 3);
        assert_int_equal(chmod(scratch("old"), modes[i]), 0);
        save(scratch("old"), "new");
        /* The system takes the set-ID bits from a file that anyone but root writes to. */
        assert_int_equal(scratch_mode("old"), geteuid() == 0 ? modes[i] : modes[i] & 01777);
        expect("old", "new");
        assert_int_equal(unlink(scratch("old")), 0);
    }
}

static void root_keeps_the_owner(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    scratch_store("old", "old", 3);
    assert_int_equal(chown(scratch("old"), 12345, 23456), 0);
    assert_int_equal(chmod(scratch("old"), 04750), 0);
    save(scratch("old"), "new");
    struct stat status;
    assert_int_equal(stat(scratch("old"), &status), 0);
    assert_int_equal(status.st_uid, 12345);
    assert_int_equal(status.st_gid, 23456);
    assert_int_equal(status.st_mode & 07777, 04750);
}

/* Takes the rights of nobody, where root runs the tests. */
static void drop_rights(void) {
    if (geteuid() == 0) {
        assert_int_equal(setegid(65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
}

static void take_rights(void) {
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
    }
}

static void others_lose_what_cannot_be_kept(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can make a file of someone else\n");
        skip();
    }
    const mode_t modes[][2] = {{0660, 0600}, {0664, 0644}, {06755, 0755}, {0640, 0600}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        scratch_store("old", "old", 3);
        assert_int_equal(chown(scratch("old"), 12345, 23456), 0);
        assert_int_equal(chmod(scratch("old"), modes[i][0]), 0);
        assert_int_equal(chmod(scratch_folder, 0777), 0);
        drop_rights();
        sft_error error;
        sft_status status = save_with(scratch("old"), "new", false, &error);
        take_rights();
        expect_status(status, SFT_OK, &error);
        assert_int_equal(scratch_mode("old"), modes[i][1]);
        expect("old", "new");
        assert_int_equal(unlink(scratch("old")), 0);
    }
}

static void folders_without_leave_are_refused(void **state) {
    (void)state;
    scratch_store("old", "old", 3);
    assert_int_equal(chmod(scratch_folder, 0555), 0);
    drop_rights();
    sft_error error;
    sft_status status = save_with(scratch("old"), "new", false, &error);
    take_rights();
    assert_int_equal(chmod(scratch_folder, 0755), 0);
    expect_status(status, SFT_OPEN_FAILED, &error);
    assert_int_equal(error.system_error, EACCES);
    expect("old", "old");
    assert_int_equal(scratch_count("."), 1);
}

static void folders_that_cannot_be_listed_do(void **state) {
    (void)state;
    scratch_store("old", "old", 3);
    assert_int_equal(chmod(scratch_folder, 0333), 0);
    drop_rights();
    sft_error error;
    sft_replace replace;
    sft_status plain = save_with(scratch("old"), "new", false, &error);
    sft_status durable = sft_replace_begin(&replace, scratch("old"), true, false, &error);
    bool root = geteuid() == 0;
    take_rights();
    assert_int_equal(chmod(scratch_folder, 0755), 0);
    assert_int_equal(plain, SFT_OK);
    expect("old", "new");
    if (root) {
        sft_replace_abort(&replace);
    } else {
        expect_status(durable, SFT_OPEN_FAILED, &error);
    }
    assert_int_equal(scratch_count("."), 1);
}

/* ---- links ---- */

static bool is_link(const char *name) {
    struct stat status;
    return lstat(scratch(name), &status) == 0 && S_ISLNK(status.st_mode);
}

static void refuse(const char *path, sft_status wanted, int system_error) {
    int before = scratch_count(".");
    sft_error error = {.status = SFT_OK};
    expect_status(save_with(path, "new", false, &error), wanted, &error);
    assert_int_equal(error.system_error, system_error);
    assert_int_equal(scratch_count("."), before);
}

static void links_are_written_through(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("a"), 0755), 0);
    assert_int_equal(mkdir(scratch("a/b"), 0755), 0);
    scratch_store("a/b/file", "old", 3);
    assert_int_equal(chmod(scratch("a/b/file"), 0640), 0);
    assert_int_equal(symlink("a/b/file", scratch("relative")), 0);
    assert_int_equal(symlink(scratch("relative"), scratch("absolute")), 0);
    assert_int_equal(symlink("../../absolute", scratch("a/b/chain")), 0);
    assert_int_equal(symlink("chain", scratch("a/b/beside")), 0);
    const char *const names[] = {"relative", "absolute", "a/b/chain", "a/b/beside"};
    for (size_t i = 0; i < 4; i++) {
        save(scratch(names[i]), names[i]);
        assert_true(is_link(names[i]));
        expect("a/b/file", names[i]);
        assert_int_equal(scratch_mode("a/b/file"), 0640);
    }
    assert_int_equal(scratch_count("."), 3);
    assert_int_equal(scratch_count("a/b"), 3);
}

static void dangling_links_get_their_target(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("a"), 0755), 0);
    assert_int_equal(symlink("a/new", scratch("link")), 0);
    sft_error error;
    expect_status(save_with(scratch("link"), "new", true, &error), SFT_OK, &error);
    assert_true(is_link("link"));
    expect("a/new", "new");
    assert_int_equal(symlink("nowhere/new", scratch("lost")), 0);
    refuse(scratch("lost"), SFT_OPEN_FAILED, ENOENT);
}

/* In a folder as /tmp is, a stranger can put a link to what only the saver may write. */
static void traps_of_strangers_are_refused(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can make a link of someone else\n");
        skip();
    }
    const uid_t stranger = 65534;
    scratch_store("precious", "old", 3);
    assert_int_equal(mkdir(scratch("open"), 0755), 0);
    assert_int_equal(symlink("../precious", scratch("open/link")), 0);
    assert_int_equal(symlink("../new", scratch("open/dangling")), 0);
    assert_int_equal(lchown(scratch("open/link"), stranger, stranger), 0);
    assert_int_equal(lchown(scratch("open/dangling"), stranger, stranger), 0);
    assert_int_equal(chmod(scratch("open"), 01777), 0);
    refuse(scratch("open/link"), SFT_OPEN_FAILED, EACCES);
    refuse(scratch("open/dangling"), SFT_OPEN_FAILED, EACCES);
    expect("precious", "old");
    assert_int_equal(scratch_count("open"), 2);
    /* A file of theirs would stay theirs, and the data in it with it. */
    scratch_store("open/file", "theirs", 6);
    assert_int_equal(chown(scratch("open/file"), stranger, stranger), 0);
    refuse(scratch("open/file"), SFT_OPEN_FAILED, EACCES);
    expect("open/file", "theirs");
    assert_int_equal(unlink(scratch("open/file")), 0);
    /* Elsewhere, and where the folder is the stranger's own, links are as good as any. */
    static const mode_t modes[] = {01777, 0777, 01755};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chown(scratch("open"), i == 0 ? stranger : 0, 0), 0);
        assert_int_equal(chmod(scratch("open"), modes[i]), 0);
        save(scratch("open/link"), "new");
        expect("precious", "new");
    }
    assert_int_equal(chown(scratch("open"), stranger, 0), 0);
    assert_int_equal(chmod(scratch("open"), 01777), 0);
    assert_int_equal(lchown(scratch("open/link"), 0, 0), 0);
    save(scratch("open/link"), "own");
    expect("precious", "own");
}

static void loops_are_refused(void **state) {
    (void)state;
    assert_int_equal(symlink("b", scratch("a")), 0);
    assert_int_equal(symlink("a", scratch("b")), 0);
    assert_int_equal(symlink("self", scratch("self")), 0);
    assert_int_equal(symlink("self/x", scratch("inside")), 0);
    refuse(scratch("a"), SFT_OPEN_FAILED, ELOOP);
    refuse(scratch("self"), SFT_OPEN_FAILED, ELOOP);
    refuse(scratch("inside"), SFT_OPEN_FAILED, ELOOP);
}

/* ---- what is no file, and what is no name ---- */

static void only_regular_files_are_replaced(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("folder"), 0755), 0);
    assert_int_equal(mkfifo(scratch("pipe"), 0644), 0);
    assert_int_equal(symlink("folder", scratch("link")), 0);
    assert_int_equal(symlink("/dev/null", scratch("device")), 0);
    const char *const names[] = {"folder", "pipe", "link", "device"};
    for (size_t i = 0; i < 4; i++) {
        refuse(scratch(names[i]), SFT_NOT_A_FILE, 0);
    }
    refuse("/dev/null", SFT_NOT_A_FILE, 0);
}

static void paths_that_name_no_file_are_refused(void **state) {
    (void)state;
    scratch_store("file", "old", 3);
    refuse("", SFT_OPEN_FAILED, ENOENT);
    refuse(".", SFT_NOT_A_FILE, 0);
    refuse("..", SFT_NOT_A_FILE, 0);
    refuse("/", SFT_NOT_A_FILE, 0);
    refuse(scratch("new/"), SFT_NOT_A_FILE, 0);
    refuse(scratch("."), SFT_NOT_A_FILE, 0);
    refuse(scratch("file/x"), SFT_OPEN_FAILED, ENOTDIR);
    refuse(scratch("nowhere/x"), SFT_OPEN_FAILED, ENOENT);
    char path[8192];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
    path[300] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
    path[2000] = '\0';
    refuse(path, SFT_OPEN_FAILED, ENAMETOOLONG);
}

static void relative_paths_do(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(mkdir(scratch("sub"), 0755), 0);
    assert_int_equal(chdir(scratch("sub")), 0);
    const char *const paths[] = {"plain", "./dot", "../up", "..//sub/.././twice"};
    const char *const names[] = {"sub/plain", "sub/dot", "up", "twice"};
    for (size_t i = 0; i < 4; i++) {
        save(paths[i], "1");
        expect(names[i], "1");
        save(paths[i], "2");
        expect(names[i], "2");
    }
    assert_int_equal(chdir(before), 0);
    assert_int_equal(scratch_count("."), 3);
    assert_int_equal(scratch_count("sub"), 2);
}

static void the_longest_names_do(void **state) {
    (void)state;
    for (size_t length = 225; length <= 255; length++) {
        char name[256];
        memset(name, 'x', length);
        name[length] = '\0';
        save(scratch(name), "1");
        save(scratch(name), "2");
        expect(name, "2");
        /* The same in letters of two bytes, which must not be cut in half. */
        for (size_t i = length % 2; i + 1 < length; i += 2) {
            memcpy(name + i, "\xc3\xa9", 2);
        }
        save(scratch(name), "1");
        sft_replace replace;
        sft_error error;
        expect_status(sft_replace_begin(&replace, scratch(name), false, false, &error), SFT_OK,
                      &error);
        expect_status(sft_replace_commit(&replace, &error), SFT_OK, &error);
        size_t end = strlen(replace.temporary);
        assert_true(end <= 255);
        const unsigned char *temporary = (const unsigned char *)replace.temporary;
        assert_int_equal(sft_utf8_check(temporary, end), end);
        expect(name, "");
    }
    assert_int_equal(scratch_count("."), 2 * 31);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SAVE_TEST(new_files_obey_the_umask),
        SAVE_TEST(replaced_files_keep_their_mode),
        SAVE_TEST(root_keeps_the_owner),
        SAVE_TEST(others_lose_what_cannot_be_kept),
        SAVE_TEST(folders_without_leave_are_refused),
        SAVE_TEST(folders_that_cannot_be_listed_do),
        SAVE_TEST(links_are_written_through),
        SAVE_TEST(dangling_links_get_their_target),
        SAVE_TEST(traps_of_strangers_are_refused),
        SAVE_TEST(loops_are_refused),
        SAVE_TEST(only_regular_files_are_replaced),
        SAVE_TEST(paths_that_name_no_file_are_refused),
        SAVE_TEST(relative_paths_do),
        SAVE_TEST(the_longest_names_do),
    };
    return run_saves(tests, sizeof tests / sizeof tests[0]);
}
