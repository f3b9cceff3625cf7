//! Names in the environment that are no keys: our own few, and those of the reference plugin that
//! have no effect here, each with what decides the same.
//!
//! Not here: names of the plugin that are read; they stand with their keys (`raw`).

use settings::Other;

const MODEL: &str = "Without effect: words come from the offloader's own models, nothing is sent to a cloud; which ones decides `transcribing.model_size`.";
const BROWSER: &str = "Without effect: recordings are made without a browser.";
const TRUST: &str = "Without effect: jobs trust whom the offloader's machine trusts, and nobody unseen; the certificate of an authority of your own belongs there.";
const LOAD: &str = "Without effect: media is always in rtcd, whose metrics tell its load.";
const POOL: &str = "Without effect: there are as many connections to the database as are of use.";
const JOB: &str =
    "Without effect: the offloader's own settings decide it, see `offloader sample-config`.";

pub(super) const OTHERS: &[Other] = &[
    ours(
        "SIGNALLING_LOG",
        "What goes to standard error: `debug` makes our own code say more; libraries are heard from \
         WARN on, unless one is named, as in `info,sqlx=debug`.",
    ),
    ours(
        "PARLEY_LOG_FORMAT",
        "`json`: log lines are JSON objects, as for a collector; otherwise they are `plain`, in \
         colours only on a terminal.",
    ),
    ours(
        "SIGNALLING_PASSWORD",
        "The password for `signalling add-account`.",
    ),
    idle("MM_CALLS_ALLOW_ENABLE_CALLS", "Without effect: always on."),
    idle(
        "MM_CALLS_UDP_SERVER_ADDRESS",
        "Without effect: media is rtcd's; there it is `rtc.ice_address_udp` (RTCD_RTC_ICEADDRESSUDP).",
    ),
    idle(
        "MM_CALLS_UDP_SERVER_PORT",
        "Without effect: media is rtcd's; there it is `rtc.ice_port_udp` (RTCD_RTC_ICEPORTUDP).",
    ),
    idle(
        "MM_CALLS_TCP_SERVER_ADDRESS",
        "Without effect: media is rtcd's; there it is `rtc.ice_address_tcp` (RTCD_RTC_ICEADDRESSTCP).",
    ),
    idle(
        "MM_CALLS_TCP_SERVER_PORT",
        "Without effect: media is rtcd's; there it is `rtc.ice_port_tcp` (RTCD_RTC_ICEPORTTCP).",
    ),
    idle(
        "MM_CALLS_ICE_HOST_OVERRIDE",
        "Without effect: media is rtcd's; there it is `rtc.ice_host_override` (RTCD_RTC_ICEHOSTOVERRIDE).",
    ),
    idle(
        "MM_CALLS_ICE_HOST_PORT_OVERRIDE",
        "Without effect: media is rtcd's; there it is `rtc.ice_host_port_override` (RTCD_RTC_ICEHOSTPORTOVERRIDE).",
    ),
    idle(
        "MM_CALLS_ENABLE_IPV6",
        "Without effect: media is rtcd's; there it is `rtc.enable_ipv6` (RTCD_RTC_ENABLEIPV6).",
    ),
    // As the plugin itself makes the name of `EnableIPv6`.
    idle(
        "MM_CALLS_ENABLE_I_PV6",
        "Without effect: media is rtcd's; there it is `rtc.enable_ipv6` (RTCD_RTC_ENABLEIPV6).",
    ),
    idle(
        "MM_CALLS_SERVER_SIDE_TURN",
        "Without effect: media is rtcd's; there it is `rtc.ice_servers` (RTCD_RTC_ICESERVERS).",
    ),
    idle("MM_CALLS_TRANSCRIBE_API", MODEL),
    idle("MM_CALLS_TRANSCRIBE_API_AZURE_SPEECH_KEY", MODEL),
    idle("MM_CALLS_TRANSCRIBE_API_AZURE_SPEECH_REGION", MODEL),
    idle("MM_CALLS_TRANSCRIBER_TRANSCRIBE_API", MODEL),
    idle("MM_CALLS_TRANSCRIBER_TRANSCRIBE_API_OPTIONS", MODEL),
    idle(
        "MM_CALLS_TRANSCRIBER_OUTPUT_FORMAT",
        "Without effect: transcripts are WebVTT and text, and SRT and JSON where the offloader is \
         Parley's.",
    ),
    idle("MM_CALLS_RECORDER_EXTRA_CHROMIUM_ARGS", BROWSER),
    idle("MM_CALLS_RECORDER_DEV_MODE", BROWSER),
    idle("MM_CALLS_RECORDER_DATA_DIR", JOB),
    idle("MM_CALLS_TRANSCRIBER_DATA_DIR", JOB),
    idle("MM_CALLS_RECORDER_TLS_CA_CERT_FILE", TRUST),
    idle("MM_CALLS_TRANSCRIBER_TLS_CA_CERT_FILE", TRUST),
    idle("MM_CALLS_RECORDER_TLS_INSECURE_SKIP_VERIFY", TRUST),
    idle("MM_CALLS_TRANSCRIBER_TLS_INSECURE_SKIP_VERIFY", TRUST),
    idle("MM_CALLS_CONCURRENT_SESSIONS_THRESHOLD", LOAD),
    idle("MM_CALLS_CONCURRENT_SESSIONS_WARNING_BACKOFF_TIME", LOAD),
    idle("MM_CALLS_MAX_OPEN_CONNS", POOL),
    idle("MM_CALLS_MAX_IDLE_CONNS", POOL),
    idle(
        "MM_CLOUD_INSTALLATION_ID",
        "Without effect: every server is one's own.",
    ),
];

const fn ours(name: &'static str, doc: &'static str) -> Other {
    Other {
        name,
        doc,
        is_idle: false,
    }
}

const fn idle(name: &'static str, doc: &'static str) -> Other {
    Other {
        name,
        doc,
        is_idle: true,
    }
}
