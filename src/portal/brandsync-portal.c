/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* brandsync-portal - main: starts the local tenant, or registers a credential with it. */
#include "portal.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PORT = 38443, PAGE_PORT = 38080, DAY_MS = 86400000, READY_MAX = 65536 };

static const char usage[] =
    "brandsync-portal " BRANDSYNC_VERSION
    ": a local Brand Portal tenant, for trying out and rehearsing; not for production.\n"
    "\n"
    "  brandsync-portal --dir DIR [options]      start it; runs until SIGTERM or Ctrl-C\n"
    "      --tenant NAME          the tenant's id (acme)\n"
    "      --root PATH            where its content lives (/content/dam/mac/NAME)\n"
    "      --port N               TLS: IMS, importer, replication test (38443, or the next free one; 0: any)\n"
    "      --page-port N          plain http: the page to look at (38080, or the next free one; 0: any)\n"
    "      --listen ADDRESS       127.0.0.1 or ::1\n"
    "      --token-life TIME      how long a bearer token lives (24h; 1s to 24h)\n"
    "      --importer-path PATH   (/libs/sling/distribution/services/importers/default)\n"
    "      --watched FOLDER       named in the page's first hint\n"
    "\n"
    "  brandsync-portal register --dir DIR --certificate FILE [--client-id ID] [options]    a JWT credential\n"
    "  brandsync-portal register --dir DIR --oauth [--client-id ID] [options]               OAuth server-to-server\n"
    "      prints the lines that a profile needs. With the ID of one that is there: binds one more certificate (JWT),\n"
    "      or makes one more secret (OAuth; two at once). A running portal knows it at once.\n"
    "      --secret-file FILE     where the client secret is written, mode 0600 (DIR/ID.secret)\n"
    "      --private-key FILE     only named in the lines printed\n"
    "      --scopes A,B           (ent_brand_portal_sdk; with --oauth: openid,AdobeID)\n"
    "\n"
    "  DIR holds everything: content, tls/ca.pem, credentials.json, journal.jsonl, and portal.json while it runs.\n";

struct options {
    const char *dir, *tenant, *root, *port, *page_port, *listen, *token_life, *importer_path, *watched;
    const char *certificate, *client_id, *secret_file, *private_key, *scopes;
    bool is_oauth, wants_help, wants_version;
};

enum { FOR_START = 1, FOR_REGISTER = 2 };
static const struct {
    const char *name;
    size_t place;
    bool has_value;
    int used_for;
} settings[] = {
    {"dir", offsetof(struct options, dir), true, FOR_START | FOR_REGISTER},
    {"tenant", offsetof(struct options, tenant), true, FOR_START},
    {"root", offsetof(struct options, root), true, FOR_START},
    {"port", offsetof(struct options, port), true, FOR_START},
    {"page-port", offsetof(struct options, page_port), true, FOR_START},
    {"listen", offsetof(struct options, listen), true, FOR_START},
    {"token-life", offsetof(struct options, token_life), true, FOR_START},
    {"importer-path", offsetof(struct options, importer_path), true, FOR_START},
    {"watched", offsetof(struct options, watched), true, FOR_START},
    {"certificate", offsetof(struct options, certificate), true, FOR_REGISTER},
    {"oauth", offsetof(struct options, is_oauth), false, FOR_REGISTER},
    {"client-id", offsetof(struct options, client_id), true, FOR_REGISTER},
    {"secret-file", offsetof(struct options, secret_file), true, FOR_REGISTER},
    {"private-key", offsetof(struct options, private_key), true, FOR_REGISTER},
    {"scopes", offsetof(struct options, scopes), true, FOR_REGISTER},
    {"help", offsetof(struct options, wants_help), false, FOR_START | FOR_REGISTER},
    {"version", offsetof(struct options, wants_version), false, FOR_START | FOR_REGISTER},
};

static int complain(int code, const char *text)
{
    fprintf(stderr, "brandsync-portal: %s\n", text);
    if (code == EX_USAGE)
        fprintf(stderr, "brandsync-portal --help shows what it takes\n");
    return code;
}

static bool read_options(int argc, char **argv, int used_for, struct options *o, struct err *e)
{
    struct option known[ARRAY_LEN(settings) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        known[i] = (struct option){settings[i].name, settings[i].has_value ? required_argument : no_argument, NULL,
                                   'x'};
    int index = -1, got;
    opterr = 0;
    while ((got = getopt_long(argc, argv, ":", known, &index)) != -1) {
        if (got == ':')
            return err_set(e, ERR_CONFIG, "%s wants a value", argv[optind - 1]);
        if (got == '?')
            return err_set(e, ERR_CONFIG, "unknown option %s", QUOTED(argv[optind - 1]));
        if (!(settings[index].used_for & used_for))
            return err_set(e, ERR_CONFIG, "--%s does not go with %s", settings[index].name,
                           used_for == FOR_START ? "starting the portal" : "register");
        void *place = (char *)o + settings[index].place;
        if (settings[index].has_value)
            *(const char **)place = optarg;
        else
            *(bool *)place = true;
    }
    return optind == argc || err_set(e, ERR_CONFIG, "unexpected argument %s", QUOTED(argv[optind]));
}

/* --- register ---------------------------------------------------------------------------------------------- */

/* A plain scalar where that is safe, else quoted as JSON is, which YAML reads too. */
static void print_yaml(const char *key, const char *value)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._@-:[]";
    bool is_plain = !value[strspn(value, safe)] && value[strspn(value, "0123456789.eE_")] && *value != '-' &&
                    *value != '@';
    json_t *json = is_plain ? NULL : json_string(value);
    char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    printf("  %s: %s\n", key, quoted ? quoted : value);
    free(quoted);
    json_decref(json);
}

static void print_list(const char *key, const struct strlist *list)
{
    printf("  %s: [", key);
    for (size_t i = 0; i < list->count; i++)
        printf("%s%s", i ? ", " : "", list->item[i]);
    printf("]\n");
}

/* What the running portal said of itself, else what it will be by default. */
static json_t *read_ready(const char *dir)
{
    AUTO(mem_freep) char *file = path_join(dir, "portal.json");
    AUTO(buf_release) struct buf text = BUF_INIT(READY_MAX);
    struct err e = {0};
    json_t *ready = file_read(file, READY_MAX, &text, &e) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    if (ready)
        return ready;
    fprintf(stderr, "brandsync-portal: it is not running now: the address printed is the usual one\n");
    AUTO(mem_freep) char *url = str_printf("https://127.0.0.1:%d/", PORT);
    AUTO(mem_freep) char *ca = path_join(dir, "tls/ca.pem");
    return json_pack("{s:s, s:s, s:s, s:s}", "portal", url, "ca", ca, "tenant", "acme", "root",
                     "/content/dam/mac/acme");
}

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_profile(const struct options *o, const char *dir, const struct credential *c, const char *secret_file)
{
    json_t *ready = read_ready(dir);
    printf("tenant:\n");
    print_yaml("url", member(ready, "portal"));
    print_yaml("id", member(ready, "tenant"));
    print_yaml("root", member(ready, "root"));
    print_yaml("ca_file", member(ready, "ca"));
    printf("identity:\n");
    print_yaml("mode", c->kind == CREDENTIAL_JWT ? "jwt" : "oauth");
    print_yaml("server", member(ready, "portal"));
    print_yaml("client_id", c->client_id);
    print_yaml("client_secret_file", secret_file);
    print_yaml("ca_file", member(ready, "ca"));
    print_list(c->kind == CREDENTIAL_JWT ? "metascopes" : "scopes", &c->scope);
    if (c->kind == CREDENTIAL_JWT) {
        AUTO(mem_freep) char *certificate = path_absolute(o->certificate);
        AUTO(mem_freep) char *key = o->private_key ? path_absolute(o->private_key) : NULL;
        print_yaml("technical_account_id", c->technical_account_id);
        print_yaml("organization_id", c->organization_id);
        print_yaml("certificate_file", certificate);
        if (key)
            print_yaml("private_key_file", key);
        else
            printf("  # private_key_file: the key of this certificate\n");
    }
    json_decref(ready);
}

static int run_register(const struct options *o, const char *dir)
{
    struct err e = {0};
    if (!!o->certificate == o->is_oauth)
        return complain(EX_USAGE, "register wants either --certificate FILE or --oauth");
    struct registration r = {.kind = o->is_oauth ? CREDENTIAL_OAUTH : CREDENTIAL_JWT,
                             .client_id = o->client_id,
                             .certificate_file = o->certificate,
                             .scopes = o->scopes};
    struct credentials all;
    AUTO(secret_release) struct secret secret = {0};
    size_t index;
    if (!dir_make(dir, 0700, &e) || !credentials_register(dir, &r, &all, &index, &secret, &e))
        return complain(EX_DATAERR, e.text);
    const struct credential *c = &all.item[index];
    AUTO(mem_freep)
    char *secret_file = o->secret_file ? path_absolute(o->secret_file) : str_printf("%s/%s.secret", dir, c->client_id);
    bool is_done = !secret.data || file_replace(secret_file, secret.data, secret.len, 0600, &e);
    if (is_done)
        print_profile(o, dir, c, secret_file);
    credentials_release(&all);
    return is_done ? EX_OK : complain(EX_CANTCREAT, e.text);
}

/* --- start ------------------------------------------------------------------------------------------------- */

struct portal {
    struct authority authority;
    struct store *store;
    struct journal *journal;
    struct ims *ims;
    struct importer *importer;
    struct server *server;
    struct server_opts opts;
    int64_t token_life_ms;
    char *dir, *root, *ready_file;
};

static bool read_port(const char *text, int usual, int *port, struct err *e)
{
    int64_t number = usual;
    if (text && !parse_int64(text, 0, 65535, &number))
        return err_set(e, ERR_CONFIG, "%s is no port: 0 to 65535", QUOTED(text));
    *port = (int)number;
    return true;
}

static bool is_tenant_name(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static bool check_options(struct portal *p, const struct options *o, struct err *e)
{
    const char *tenant = o->tenant ? o->tenant : "acme";
    p->opts = (struct server_opts){
        .listen = o->listen ? o->listen : "127.0.0.1",
        .importer_path = o->importer_path ? o->importer_path : "/libs/sling/distribution/services/importers/default",
        .port_moves = !o->port,
        .page_port_moves = !o->page_port,
        .page = {.tenant = tenant, .watched = o->watched}};
    p->token_life_ms = DAY_MS;
    p->root = o->root ? str_copy(o->root) : str_printf("/content/dam/mac/%s", tenant);
    if (!str_eq(p->opts.listen, "127.0.0.1") && !str_eq(p->opts.listen, "::1"))
        return err_set(e, ERR_CONFIG, "--listen takes 127.0.0.1 or ::1: this tenant is for this machine alone");
    if (!is_tenant_name(tenant))
        return err_set(e, ERR_CONFIG, "%s is no tenant id: small letters, digits and '-'", QUOTED(tenant));
    if (!str_starts(p->root, "/content/dam/") || !path_is_clean(p->root + 1))
        return err_set(e, ERR_CONFIG, "--root must lie below /content/dam/ and be written plainly, not as %s",
                       QUOTED(p->root));
    if (p->opts.importer_path[0] != '/' || !path_is_clean(p->opts.importer_path + 1))
        return err_set(e, ERR_CONFIG, "%s is no path: /a/b", QUOTED(p->opts.importer_path));
    if (o->token_life &&
        (!parse_duration(o->token_life, &p->token_life_ms) || p->token_life_ms < 1000 || p->token_life_ms > DAY_MS))
        return err_set(e, ERR_CONFIG, "--token-life takes 1s to 24h, not %s", QUOTED(o->token_life));
    return read_port(o->port, PORT, &p->opts.port, e) && read_port(o->page_port, PAGE_PORT, &p->opts.page_port, e);
}

/* A kill may have come between an import and its journal line: its number stays taken. */
static void skip_used_requests(struct portal *p)
{
    size_t count;
    struct node *node = store_list(p->store, store_root(p->store), true, &count);
    for (size_t i = 0; i < count; i++) {
        journal_skip_to(p->journal, node[i].request);
        node_release(&node[i]);
    }
    mem_freep(&node);
}

static bool open_all(struct portal *p, struct err *e)
{
    AUTO(mem_freep) char *journal = path_join(p->dir, "journal.jsonl");
    if (!(p->store = store_open(p->dir, p->root, e))) /* refuses a second process; from here on DIR is ours */
        return false;
    unlink(p->ready_file); /* of one that was killed */
    if (!authority_open(p->dir, &p->authority, e) || !(p->journal = journal_open(journal, e)) ||
        !(p->ims = ims_open(p->dir, p->token_life_ms, e)))
        return false;
    skip_used_requests(p);
    p->importer = importer_new(p->store);
    p->opts.authority = &p->authority;
    p->opts.journal = p->journal;
    p->opts.ims = p->ims;
    p->opts.importer = p->importer;
    p->opts.page.store = p->store;
    p->server = server_start(&p->opts, e);
    return p->server;
}

static void close_all(struct portal *p)
{
    server_stop(p->server);
    if (p->importer)
        importer_free(p->importer);
    ims_close(p->ims);
    journal_close(p->journal);
    authority_release(&p->authority);
    if (p->store) {
        unlink(p->ready_file);
        store_close(p->store);
    }
    mem_freep(&p->ready_file);
    mem_freep(&p->root);
    mem_freep(&p->dir);
}

static bool say_ready(const struct portal *p, struct err *e)
{
    const char *host = str_eq(p->opts.listen, "::1") ? "[::1]" : p->opts.listen;
    AUTO(mem_freep) char *portal = str_printf("https://%s:%d/", host, server_port(p->server));
    AUTO(mem_freep) char *page = str_printf("http://%s:%d/", host, server_page_port(p->server));
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "portal", portal, "page", page, "ca",
                             p->authority.ca_file, "tenant", p->opts.page.tenant, "root", p->root, "pid",
                             (int)getpid());
    char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
    json_decref(json);
    if (!text)
        return err_set(e, ERR_CONFIG, "the name of the directory is not UTF-8");
    bool is_written = file_replace(p->ready_file, text, strlen(text), 0644, e);
    free(text);
    if (is_written)
        printf("portal  %s\npage    %s\nca      %s\n", portal, page, p->authority.ca_file);
    return is_written && (fflush(stdout) == 0 || err_sys(e, errno, "cannot write to standard output"));
}

static void wait_for_end(const sigset_t *ends)
{
    while (sigwaitinfo(ends, NULL) < 0 && errno == EINTR)
        ;
}

static int run_start(const struct options *o, const char *dir)
{
    struct err e = {0};
    struct portal p = {.dir = str_copy(dir), .ready_file = path_join(dir, "portal.json")};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the first thread: all inherit it */
    signal(SIGPIPE, SIG_IGN);
    if (!check_options(&p, o, &e))
        return complain(EX_USAGE, e.text);
    if (!dir_make(dir, 0700, &e))
        return complain(EX_CANTCREAT, e.text);
    fprintf(stderr, "brandsync-portal " BRANDSYNC_VERSION ": a local tenant for trying out, not for production\n");
    bool is_ready = open_all(&p, &e) && say_ready(&p, &e);
    if (is_ready)
        wait_for_end(&ends);
    close_all(&p);
    return is_ready ? EX_OK : complain(EX_UNAVAILABLE, e.text);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct err e = {0};
    bool registers = argc > 1 && str_eq(argv[1], "register");
    if (!read_options(argc - registers, argv + registers, registers ? FOR_REGISTER : FOR_START, &o, &e))
        return complain(EX_USAGE, e.text);
    if (o.wants_help || o.wants_version) {
        fputs(o.wants_help ? usage : "brandsync-portal " BRANDSYNC_VERSION "\n", stdout);
        return fflush(stdout) ? EX_IOERR : EX_OK;
    }
    if (!o.dir)
        return complain(EX_USAGE, "--dir DIR is needed: where the tenant keeps its things");
    umask(077);
    AUTO(mem_freep) char *dir = path_absolute(o.dir);
    return registers ? run_register(&o, dir) : run_start(&o, dir);
}
