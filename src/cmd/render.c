/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* render - verdict lines, cards, columns and paths: every screen is made of these (ux.md 0). */
#include "cmd_internal.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { NARROWEST = 80 };

/* --- the terminal --------------------------------------------------------------------------------------- */

struct style style_of(int fd, bool is_plain, int64_t now_ms)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct winsize window;
    struct style s = {.is_plain = is_plain, .now_ms = now_ms};

    if (!isatty(fd))
        return s;
    s.has_colour = !is_plain && !(no_colour && *no_colour) && term && !str_eq(term, "dumb");
    s.columns = ioctl(fd, TIOCGWINSZ, &window) == 0 ? MAX(window.ws_col, NARROWEST) : NARROWEST;
    return s;
}

/* --- columns -------------------------------------------------------------------------------------------- */

size_t text_columns(const char *text)
{
    size_t columns = 0;

    for (; *text; text++)
        columns += (*text & 0xc0) != 0x80; /* bytes that continue a character take no column */
    return columns;
}

static void buf_blanks(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_char(out, ' ');
}

void render_padded(struct buf *out, const char *text, int columns)
{
    size_t want = (size_t)abs(columns), have = text_columns(text), blanks = want > have ? want - have : 0;

    if (columns < 0)
        buf_blanks(out, blanks);
    buf_str(out, text);
    if (columns > 0)
        buf_blanks(out, blanks);
}

/* --- paths ---------------------------------------------------------------------------------------------- */

/* As many whole directories from the left as leave room for "..." and the name. */
static char *shorten(const char *path, size_t columns)
{
    static const char gap[] = ".../";
    const char *name = path_name(path);
    AUTO(mem_freep) char *shown_name = str_copy(SHELL(name));
    size_t fixed = text_columns(shown_name) + strlen(gap), kept = 0;

    for (const char *end = strchr(path, '/'); end && end < name; end = strchr(end + 1, '/')) {
        size_t len = (size_t)(end + 1 - path);
        AUTO(mem_freep) char *head = str_copy_n(path, len);
        if (text_columns(head) + fixed > columns)
            break;
        kept = len;
    }
    AUTO(mem_freep) char *head = str_copy_n(path, kept);
    return str_printf("%s%s%s", head, gap, name);
}

char *render_path(char *out, size_t size, const char *path, int columns)
{
    text_shell(out, size, path);
    if (columns <= 0 || text_columns(out) <= (size_t)columns || !strchr(path, '/'))
        return out;
    AUTO(mem_freep) char *shorter = shorten(path, (size_t)columns);
    return text_shell(out, size, shorter);
}

/* --- verdict and card ------------------------------------------------------------------------------------- */

static const char *colour_of(const char *verdict)
{
    static const struct {
        const char *verdict, *colour;
    } colours[] = {
        {"ok", "\033[32m"},
        {"working", "\033[34m"},
        {"waiting", "\033[33m"},
        {"attention", "\033[1;31m"},
    };

    for (size_t i = 0; i < ARRAY_LEN(colours); i++)
        if (str_eq(colours[i].verdict, verdict))
            return colours[i].colour;
    return "";
}

void render_verdict(struct buf *out, const struct style *s, const char *verdict, const char *sentence)
{
    bool is_coloured = s->has_colour && colour_of(verdict)[0];

    if (s->is_plain) {
        render_plain(out, "verdict", "%s", SAFE(verdict));
        render_plain(out, "sentence", "%s", SAFE(sentence));
        return;
    }
    buf_printf(out, "%s%s%s  %s\n", is_coloured ? colour_of(verdict) : "", SAFE(verdict), is_coloured ? "\033[0m" : "",
               SAFE(sentence));
}

void render_card(struct buf *out, const char *why, const char *fix, const char *safe)
{
    const struct {
        const char *label, *text;
    } lines[] = {{"why ", why}, {"fix ", fix}, {"safe", safe}};

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (lines[i].text && lines[i].text[0])
            buf_printf(out, "  %s  %s\n", lines[i].label, SAFE(lines[i].text));
}

void render_plain(struct buf *out, const char *label, const char *fmt, ...)
{
    char value[TEXT_SHOWN];
    va_list args;

    va_start(args, fmt);
    vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    if (value[0])
        buf_printf(out, "%s: %s\n", label, value);
}

/* --- handing out --------------------------------------------------------------------------------------------- */

int print_json(json_t *object)
{
    json_object_del(object, "ok");
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    return 0;
}

int print_buf(const struct buf *out)
{
    if (out->len > 0)
        fwrite(out->data, 1, out->len, stdout);
    return 0;
}

int64_t json_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int64_t json_time(const json_t *object, const char *key)
{
    int64_t ms;
    return time_parse_rfc3339(control_get_text(object, key), &ms) ? ms : 0;
}
