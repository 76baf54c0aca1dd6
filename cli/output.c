#include "output.h"

#include "exits.h"
#include "message.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char buffer[64 * 1024];
static size_t filled;
static struct text *captured;

/*
 * A file that is opened while standard output is closed would get its number, and
 * results would be written into it. Where one of the three is missing, /dev/null
 * takes its place, opened the wrong way round so that using it is an error.
 */
void output_begin(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            if (opened != fd) {
                _exit(EXIT_TROUBLE);
            }
        }
    }
    signal(SIGPIPE, SIG_DFL);
}

bool output_is_terminal(void) {
    static int known = -1;
    if (known < 0) {
        known = isatty(STDOUT_FILENO);
    }
    return known == 1;
}

bool output_wants_colour(void) {
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (refused == NULL || *refused == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

static _Noreturn void fail(int why) {
    filled = 0;
    if (why == EPIPE) {
        _exit(EXIT_TROUBLE);
    }
    message_line("standard output", "WRITE_FAILED", "%s", strerror(why));
    _exit(EXIT_TROUBLE);
}

/* A descriptor that another program has made non-blocking is waited for. */
static void wait_until_writable(void) {
    struct pollfd wanted = {STDOUT_FILENO, POLLOUT, 0};
    (void)poll(&wanted, 1, -1);
}

static void write_out(const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            wait_until_writable();
        } else if (written < 0 && errno != EINTR) {
            fail(errno);
        }
    }
}

void output_flush(void) {
    if (filled > 0) {
        if (output_is_terminal()) {
            progress_clear();
        }
        size_t size = filled;
        filled = 0;
        write_out(buffer, size);
    }
}

void output_capture(struct text *text) {
    captured = text;
}

void output_bytes(const void *bytes, size_t size) {
    if (captured != NULL) {
        text_add(captured, bytes, size);
        return;
    }
    if (size > sizeof buffer - filled) {
        output_flush();
    }
    if (size >= sizeof buffer) {
        write_out(bytes, size);
    } else if (size > 0) {
        memcpy(buffer + filled, bytes, size);
        filled += size;
    }
}

void output_string(const char *string) {
    output_bytes(string, strlen(string));
}

void output_format(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        output_bytes(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    }
}

void output_text(const struct text *text) {
    output_bytes(text->bytes, text->length);
}

void output_padded(const struct text *text, size_t width) {
    static const char spaces[] = "                                ";
    output_text(text);
    size_t used = text_width(text->bytes, text->length);
    while (used < width) {
        size_t step = width - used < sizeof spaces - 1 ? width - used : sizeof spaces - 1;
        output_bytes(spaces, step);
        used += step;
    }
}

int output_end(int code) {
    output_flush();
    /* Some file systems tell only now that a write has failed. */
    if (close(STDOUT_FILENO) != 0 && errno != EINTR) {
        fail(errno);
    }
    return code;
}
