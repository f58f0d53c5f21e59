/** The table at the end of `make test-package`: one line for each step. */
import type { Reporter, TestModule } from 'vitest/node';

export class StepTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const steps = modules.flatMap((module) => [...module.children.allTests()]);
    const lines = steps.map((step) => {
      const { state } = step.result();
      const seconds = (step.diagnostic()?.duration ?? 0) / 1_000;
      return (
        `${state === 'passed' ? 'ok' : state.toUpperCase()}`.padEnd(8) +
        `${seconds.toFixed(1).padStart(7)}  ${step.fullName}`
      );
    });
    process.stdout.write(`\n${'result'.padEnd(8)}${'seconds'.padStart(7)}  step\n${lines.join('\n')}\n`);
  }
}
