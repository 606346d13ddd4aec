"""What counts as slow, late, thin or silent: the numbers that the judge decides by, in one place.

Ratios are against the route's own baseline; floors keep a jump from 2 to 6 ms from counting as slow. None of
these is published by a venue: they are ours, chosen so that the past incidents are found and calm days are not accused.
"""

from __future__ import annotations

from msgspec import Struct


class Thresholds(Struct, frozen=True, kw_only=True):
    """Times in seconds unless the name says otherwise; shares 0 to 1."""

    step_s: float = 0.5
    """Judging goes in steps of this, however often verdicts are asked for."""
    figures_s: float = 30.0
    """Window of the figures on the board and in the log."""

    # warming up and baselines
    warm_s: float = 10.0
    """No verdict without a baseline before this."""
    warm_at_most_s: float = 20.0
    """From here one of REST and feed is enough to leave warm-up."""
    settle_s: float = 2.0
    """Our own start-up: what is measured before this enters no baseline."""
    baseline_s: float = 600.0
    baseline_pace_s: float = 3.0
    baseline_min_count: int = 6
    adopt_s: float = 4 * 3600.0
    """An abnormal level enters the baseline only after this long: then it is the new normal."""

    # persistence
    raise_s: float = 3.0
    clear_s: float = 10.0
    finding_clear_s: float = 2.0
    recause_s: float = 3.0
    """A new cause must lead for this long before it replaces the one on show."""
    remainder_s: float = 15.0
    """The same where less evidence is left than before: what ends later than the rest is seldom new trouble."""
    flap_window_s: float = 1800.0
    alarm_clear_growth: float = 4.0
    """Each further alarm within the flap window multiplies the time to clear by this."""
    alarm_clear_max_s: float = 900.0
    suspect_clear_growth: float = 2.0
    suspect_clear_max_s: float = 120.0

    # REST
    rest_ratio: float = 3.0
    rest_floor_ms: float = 55.0
    rest_raise_s: float = 5.0
    """REST that is only a little slow must be so for this long."""
    rest_strong_ratio: float = 5.0
    rest_strong_floor_ms: float = 120.0
    rest_ceiling_ms: float = 2_000.0
    """Slower than this is slow, whatever the baseline."""
    rest_recent: int = 5
    """Probes that the recent median is taken over."""
    rest_recent_max_s: float = 20.0
    lost_window_s: float = 20.0
    lost_share: float = 0.2
    lost_min: int = 3
    lost_strong_share: float = 0.6
    error_window_s: float = 30.0
    error_share: float = 0.05
    error_min: int = 2
    error_strong_share: float = 0.2
    error_strong_min: int = 4
    failing_probes: int = 5
    """So many of the very last probes, all failed: the API is as good as closed."""
    failing_window_s: float = 30.0
    refused_min: int = 2
    refused_pause_s: float = 5.0
    """After one refusal and no further request for this long, we have stopped asking because of it."""
    limit_hold_s: float = 600.0
    """How long a refusal stands while we do not ask again."""

    # kernel and connect
    kernel_ratio: float = 2.0
    kernel_floor_ms: float = 50.0
    """Above a delayed acknowledgement (40 ms), which a slow gateway alone can add to the kernel's figure."""
    kernel_explains: float = 0.3
    """Share of the REST increase that the network must explain to be blamed for it."""
    connect_ratio: float = 2.0
    connect_floor_ms: float = 50.0

    # feed
    age_floor_ms: float = 150.0
    age_ratio: float = 3.0
    age_strong_ms: float = 1_000.0
    age_recent_s: float = 5.0
    engine_lag_ratio: float = 4.0
    engine_lag_floor_ms: float = 100.0
    engine_lag_strong_ms: float = 1_000.0
    silence_min_s: float = 7.0
    """Some venues stop sending before a planned cut: that is over before this."""
    silence_failing_s: float = 4.0
    """The same while its API fails too."""
    trickle_share: float = 0.05
    """At or below this share of the usual message rate, a route only repeats what is known."""
    trickle_s: float = 6.0
    trickle_rate: float = 10.0
    """Usual messages a second from which a trickle can be told."""
    silence_gaps: float = 30.0
    """A route is silent after this many of its usual message intervals."""
    lively_rate: float = 2.0
    """Messages a second from which silence means something by itself."""
    first_data_s: float = 15.0
    """How long a connected route may take to its first data, or a slow one without keepalives be silent."""
    quiet_route_s: float = 180.0
    """How long a slow route may be silent while its keepalives are answered."""
    channel_silence_min_s: float = 10.0
    channel_silence_gaps: float = 8.0
    """Times the longest silence the channel had on normal days."""
    channel_gaps_known: int = 20
    """From so many ended silences on, a channel is judged by its own past; before, by the venue's facts."""
    channel_first_data_s: float = 20.0
    """How long a channel may take to its first data where the same channel of other venues is busy."""
    silence_peaks: float = 4.0
    doubt_s: float = 1.5
    """Most venues out of reach for this long: trouble that starts now may be our own line's."""
    doubt_lasts_s: float = 8.0
    trading_s: float = 5.0
    """A trade within this makes a silent book of the same symbol strange."""
    link_down_s: float = 6.0
    """A planned daily cut is over before this."""
    reconnects_min: int = 4
    reconnects_window_s: float = 120.0
    unsynced_s: float = 10.0
    gaps_min: int = 5

    # book and price
    depth_ratio: float = 0.25
    depth_strong_ratio: float = 0.08
    spread_ratio: float = 5.0
    spread_floor_bps: float = 3.0
    spread_strong_ratio: float = 15.0
    wrong_book_s: float = 3.0
    wrong_book_strong_s: float = 12.0
    liquidity_raise_s: float = 6.0
    liquidity_peer_ratio: float = 0.5
    """A route is thin by itself only where its peers keep at least this share of their depth."""
    price_floor_bps: float = 40.0
    price_strong_bps: float = 200.0
    price_peers_agree: float = 3.0
    """The odd one out must be this many times further away than the others are from each other."""
    price_mads: float = 8.0

    # other routes
    excess_over_peers: float = 2.0
    """A route is accused alone only when it is this many times worse than its peers have become."""
    storm_depth_ratio: float = 0.35
    storm_spread_ratio: float = 4.0
    storm_share: float = 0.75
    storm_raise_s: float = 2.0
    storm_clear_s: float = 20.0
    shared_share: float = 0.6
    """Of a failure domain's venues that must fail together."""
    shared_onset_s: float = 90.0

    # our own machine
    own_late_ms: float = 250.0
    own_late_window_s: float = 6.0
    own_late_min: int = 2
    own_late_share: float = 0.1
    """Share of the window in which the loop stood still: one or two short stops change no verdict."""
    own_late_at_once_ms: float = 1_000.0
    own_noise_ms: float = 20.0
    """Own lag below this is not subtracted from anything."""
    clock_step_ms: float = 20.0
    clock_void_s: float = 15.0
    """After a step of our clock ages mean nothing until the offsets are measured anew."""
    clock_shift_ms: float = 40.0
    clock_span_s: float = 60.0
    """Ages may be corrected with an outdated offset for this long after a clock stepped."""
    clock_blind_shift_ms: float = 200.0
    """Where no venue tells its time, only a common shift of this size is taken for our clock's."""
    witness_fresh_s: float = 15.0
    witness_failures: int = 2
    contact_s: float = 3.0
    """Every venue out of reach for this long at the same time is our own line."""
    recover_s: float = 10.0
    """After our line came back, venues get this long to reconnect before anything counts against them."""
    unmeasured_s: float = 15.0
    asleep_s: float = 5.0
    """Nothing at all was measured for so long: we slept."""
    awake_s: float = 75.0
    """After a sleep, a route without new data gets this long: its sockets may have died meanwhile, and it takes a
    minute until one notices."""
    witness_patience_s: float = 10.0
    """Without a word of any witness for so long from the start on, there is none."""
