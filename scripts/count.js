/**
 * Prints `N passed, N failed` from the logs that scripts/check.sh leaves in target/check/, given the status of the check.
 * A test file that could not be loaded is one failure. So is a check that ended without a failed test (formatting, a
 * build) and one that ran no test at all: the line never contradicts the status.
 */
import { existsSync, readFileSync } from 'node:fs';

const LOGS = new URL('../target/check/', import.meta.url);

const results = [cargo(read('tests.log')), cargo(read('loom.log')), vitest(read('vitest.json'))];
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
const isBad = process.argv[2] !== '0' || failed > 0 || passed === 0;
process.stdout.write(`${passed} passed, ${isBad ? Math.max(failed, 1) : 0} failed\n`);
process.exitCode = isBad ? 1 : 0;

function cargo(log) {
  const summaries = [...log.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)];
  return {
    passed: summaries.reduce((sum, [, count]) => sum + Number(count), 0),
    failed: summaries.reduce((sum, [, , count]) => sum + Number(count), 0),
  };
}

function vitest(json) {
  if (json === '') return { passed: 0, failed: 0 };
  const report = JSON.parse(json);
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}

function read(name) {
  const file = new URL(name, LOGS);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
