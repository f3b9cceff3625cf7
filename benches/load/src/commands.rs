//! What each command does; each returns whether what was asked for holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::bench::{self, Job};
use crate::figures::{MEANINGS, median_ratio, median_round};
use crate::launch::Spec;
use crate::placement;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::targets::{Run, Who};
use crate::{CompareArguments, RunArguments, SoakArguments, TargetArguments};
use crate::{floor as floor_loop, print, soak as soak_run};

/// By how much a quick run divides participants.
const QUICK_SHRINK: usize = 5;
const QUICK_MEASURE: Duration = Duration::from_secs(3);
const QUICK_SETTLE: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<bool> {
    let common = &arguments.common;
    let setup = common.setup(1);
    let scenario = Scenario::named(&arguments.scenario)?.changed(&arguments.changes);
    let mut report = Report::new(&scenario.name);
    let job = Job {
        name: "server".to_owned(),
        spec: arguments.server.clone(),
        scenario,
        setup: setup.clone(),
    };
    report.rounds = bench::alternate(&[job], setup.timing.rounds);
    let rounds = report.rounds.first().map_or(&[][..], Vec::as_slice);
    let median = median_round(rounds).context("no round was played")?;
    if common.json {
        print::json(&median)?;
    } else {
        print::round(&median);
    }
    write(&report, common.report.as_deref())?;
    Ok(median.is_valid())
}

pub(crate) fn compare(arguments: &CompareArguments) -> anyhow::Result<bool> {
    let common = &arguments.common;
    let setup = common.setup(5);
    let scenario = Scenario::named(&arguments.scenario)?.changed(&arguments.changes);
    let mut report = Report::new(&scenario.name);
    let job = |name: &str, spec: &Spec| Job {
        name: name.to_owned(),
        spec: spec.clone(),
        scenario: scenario.clone(),
        setup: setup.clone(),
    };
    let jobs = [
        job("server", &arguments.server),
        job("against", &arguments.against),
    ];
    report.rounds = bench::alternate(&jobs, setup.timing.rounds);
    let [server, against] = report.rounds.as_slice() else {
        bail!("two servers give two lists of rounds");
    };
    let ratio = |name| median_ratio(server, against, name);
    report.ratios = MEANINGS
        .iter()
        .filter_map(|(name, ..)| Some((*name, ratio(name)?)))
        .collect();
    let medians = median_round(server).zip(median_round(against));
    let (server, against) = medians.context("no round was played")?;
    if common.json {
        print::json(&report)?;
    } else {
        print::comparison(&server, &against, &report.ratios);
    }
    write(&report, common.report.as_deref())?;
    Ok(server.is_valid() && against.is_valid())
}

pub(crate) fn targets(arguments: &TargetArguments) -> anyhow::Result<bool> {
    let common = &arguments.common;
    let mut setup = common.setup(5);
    setup.with_floor = true;
    let mut shrink = 1;
    if arguments.quick {
        setup.timing.rounds = 1;
        setup.timing.measure = QUICK_MEASURE;
        setup.timing.settle = QUICK_SETTLE;
        setup.floor_destinations /= QUICK_SHRINK;
        shrink = QUICK_SHRINK;
    }
    let mut servers = BTreeMap::from([(Who::Ours, arguments.server.clone())]);
    if let Some(program) = &arguments.reference_rtcd {
        let spec = Spec::rtcd(program, &["-config", "{config}"]);
        servers.insert(Who::Reference, spec);
    }
    let others = [
        (
            Who::LiveKit,
            "livekit",
            "--config {config}",
            &arguments.livekit,
        ),
        (Who::Janus, "janus", "-F {folder}", &arguments.janus),
    ];
    for (who, protocol, options, place) in others {
        if let Some(place) = place {
            let is_program = !place.contains("://") && !place.contains(' ');
            let options = if is_program { options } else { "" };
            servers.insert(
                who,
                format!("{protocol}={place} {options}").trim_end().parse()?,
            );
        }
    }
    let mut run = Run::new(servers, setup, shrink);
    let rows = run.all(&arguments.only)?;
    let mut report = Report::new("Targets");
    report.rounds = run.rounds().cloned().collect();
    report.targets = rows;
    if common.json {
        print::json(&report)?;
    } else {
        print::targets(&report.targets, arguments.quick);
    }
    write(&report, common.report.as_deref())?;
    Ok(report.targets.iter().all(|row| row.holds))
}

pub(crate) fn soak(arguments: &SoakArguments) -> anyhow::Result<bool> {
    let common = &arguments.common;
    let time = Duration::try_from_secs_f64(arguments.minutes * 60.0)
        .context("read the minutes of the soak")?;
    let setup = common.setup(1);
    let soak = placement::on(&setup.own_cpus, || {
        soak_run::run(&arguments.server, &setup, time)
    })?;
    let holds = soak.holds();
    if common.json {
        print::json(&soak)?;
    } else {
        print::soak(&soak);
    }
    let mut report = Report::new("Soak");
    report.soak = Some(soak);
    write(&report, common.report.as_deref())?;
    Ok(holds)
}

pub(crate) fn floor(destinations: usize, profile: &str) -> anyhow::Result<bool> {
    let floor = floor_loop::measure(destinations, profile)?;
    print::floor(floor, destinations, profile);
    Ok(true)
}

fn write(report: &Report, folder: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = folder else {
        return Ok(());
    };
    report.write(folder)?;
    print::progress(&format!("report: {}", folder.join("report.html").display()));
    Ok(())
}
