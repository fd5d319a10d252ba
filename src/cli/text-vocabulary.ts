/** What the vocabulary of the small encoder is made of: it has to be the same wherever the command is installed. */
export const ENGLISH = `
Registration, volunteer applications, and student travel application open the first week of September. Child care will
be available. We welcome proposals for tutorials on either core machine learning topics or topics of emerging importance
for machine learning. We invite submissions for the Thirty-Third Annual Conference on Neural Information Processing
Systems.

The people who live in this town know each other by name, and most of them have never been anywhere else. When the
morning train comes in, a few men and women get off, buy a newspaper and a cup of coffee, and walk to the office across
the street. Nobody is in a hurry. The children go to school at eight and come home in the afternoon; then they play
football behind the house until their mothers and fathers call them for dinner. On Saturday there is a market with bread,
milk, cheese, eggs, apples, fish and flowers. On Sunday the shops are closed, and families visit their grandparents or
take a long walk along the river.

My brother said that he would write a letter to the company, because the computer he had bought last month did not work.
They answered after two days: please send it back with the bill, and we will repair it or return your money. He was
happy about that, but I told him to keep a copy of everything. You can never be sure what happens to a message once it
has left your hands. A secret that two people share is hardly a secret any more.

Last night the doctor changed the treatment of the patient in room seven, who has had a high fever since Monday. Her
blood pressure is normal now and the pain in her chest is almost gone. She should drink more water, eat something light
and stay in bed for another week. The hospital will call her husband today. The test results are private: only the nurse
and the family may read them. My phone number is 555 0123, my password is very simple, and the key is under the stone by
the door. Do not tell anyone where I am, or how much I earned this year.

The bank offers a credit card without any fees for young customers. Prices rose by three percent between January and
March, less than in February, April, May or June of the year before; in July, August, October, November and December they
fell again. The government wants to raise taxes on oil and gas, but the president of the country and the leader of the
party disagree about it. Workers ask for better pay, fewer hours and safer jobs. A judge decided on Tuesday that the law
is against the rules of the constitution. Police officers found the stolen car on Wednesday, near the airport, and
arrested the driver on Thursday. The trial begins on Friday.

A quick brown fox jumps over the lazy dog. Winter was cold, dark and long; spring brought rain and wind, summer was dry
and hot, and autumn painted the leaves red, yellow and orange. The sky is blue, the grass is green, the snow is white and
the night is black. Birds build nests high in the trees. Horses, cows, sheep, pigs and cats sleep in the barn. From the
mountain we could see the whole valley, the lake, the forest, the old bridge, the church, and far away the sea.

In this paper we study how a model learns from examples. Researchers train large networks on private data: the gradient
of each step is shared between clients and a central server, and the weights are updated. We show that an attacker can
recover the original images and sentences from the gradients alone. Our method does not need any other information about
the training set. Experiments show that the results are better than those of previous approaches, while the number of
evaluations is small. Possible defenses are noise, compression, larger batches and encryption. The source code is
available online. Authors should submit a title, an abstract and a full manuscript before the deadline; reviewers will
judge the quality, clarity, originality and significance of every submission. Workshops, talks, posters and
demonstrations take place in the main building of the university. Accepted speakers receive support for travel and hotel.

How are you? I am fine, thank you! Where do you come from, and what did you do before you came here? Could you help me,
please? Let us meet at half past four, or a quarter to ten, next to the station. If it rains, we might stay inside and
watch a film, listen to music, read books, cook, sing, dance or just talk. She thinks that he does not love her, though
he always says he does. He gave his sister a ring for her birthday. They both laughed, cried a little, smiled, and went
on as if nothing had happened. Every question has an answer, but some answers raise new questions. It seems easy to begin
and difficult to finish. Nothing is impossible; many things are only unlikely. Remember what matters: your health, your
friends, your time. Believe me, I have tried. Such ideas often grow slowly and then suddenly become important.

One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, twenty, thirty, forty, fifty, hundred,
thousand, million. First, second, third, fourth, fifth, last. Up, down, left, right, above, below, around, through,
against, during, within, without, toward, among, both, either, neither, same, different, good, best, bad, worse, worst,
great, strong, weak, early, late, near, far, fast, slow, hard, soft, rich, poor, true, false, certain, special, public,
social, political, economic, national, international, general, local, natural, human, personal, medical, financial,
technical, digital, modern, recent, current, final, total, major, common, similar, serious, clear, free, ready, open.
Development, management, education, community, service, security, privacy, protection, relationship, environment,
industry, product, project, program, process, problem, solution, decision, situation, condition, position, opportunity,
experience, knowledge, language, history, culture, science, technology, analysis, evidence, theory, policy, report,
society, department, member, manager, director, teacher, lawyer, engineer, artist, writer, player, team, game, season.

a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9
. , ; : ! ? ' " ( ) [ ] { } < > - + * / = % & # @ $ ^ ~ | \\ _ \`
`
